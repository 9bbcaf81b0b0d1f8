export { createGateway, type Gateway } from './gateway.ts';
export type { ForwardAuthOptions, GatewayOptions, GatewayRoute, GatewayTokens, ProxyOptions, SessionCacheOptions } from './options.ts';
