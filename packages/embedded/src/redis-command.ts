import { connect } from 'node:net';

/**
 * Sends one command to a Redis on loopback and answers its reply as text (RESP 2): what setting up servers needs, without
 * a client library. Rejects with an error reply, and where nobody answers within `timeoutMs`.
 */
export function redisCommand(port: number, args: readonly string[], timeoutMs = 10_000): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    const done = (error: Error | undefined, reply = ''): void => {
      socket.destroy();
      if (error === undefined) resolve(reply);
      else reject(error);
    };
    let received = '';
    socket.setTimeout(timeoutMs, () => done(new Error(`Redis on port ${port} has not answered ${args[0] ?? ''}`)));
    socket.once('error', done);
    socket.once('close', () => done(new Error(`Redis on port ${port} has closed the connection`)));
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      received += text;
      const reply = parseReply(received);
      if (reply === undefined) return;
      if (received.startsWith('-')) done(new Error(`${args[0] ?? ''}: ${reply}`));
      else done(undefined, reply);
    });
    socket.write(`*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join('')}`);
  });
}

/** The text of a simple, integer, error or bulk reply; of an array as it came; undefined while it is not complete. */
function parseReply(received: string): string | undefined {
  const end = received.indexOf('\r\n');
  if (end < 0) return undefined;
  const head = received.slice(1, end);
  if (received.startsWith('*')) return received;
  if (!received.startsWith('$')) return head;
  const length = Number(head);
  if (length < 0) return '';
  return received.length >= end + 4 + length ? received.slice(end + 2, end + 2 + length) : undefined;
}
