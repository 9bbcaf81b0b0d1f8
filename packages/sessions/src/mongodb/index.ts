export { createMongoSource, type MongoClientLike, type MongoSourceOptions } from './source.ts';
export { krupteinCipher, webCryptoCipher, type SessionCipher } from './cipher.ts';
export { fromStoredText, toStoredText } from './stored-text.ts';
