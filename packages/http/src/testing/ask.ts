import { request as httpRequest, type Agent, type IncomingHttpHeaders } from 'node:http';

/** A request as its bytes shall be: header lines in their order, doubled ones too. */
export interface Question {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: readonly (readonly [string, string])[] | Readonly<Record<string, string>>;
  /** Pieces of the body, each sent when it comes. */
  readonly body?: Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;
  /** Connections to use again; default: one of its own. */
  readonly agent?: Agent;
}

/** What came back. */
export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** False: the connection broke before the end of the answer. */
  readonly whole: boolean;
}

/** Asks a server on loopback over real HTTP. Rejects when there is no answer at all. */
export function ask(port: number, question: Question = {}): Promise<Reply> {
  const { method = 'GET', path = '/who', headers = [], body = [], agent = false } = question;
  const lines = Symbol.iterator in headers ? [...headers] : Object.entries(headers);
  return new Promise((resolve, reject) => {
    // A flat list is written as it is, so a Host is needed.
    const flat = [['host', `127.0.0.1:${port}`], ...lines, ...(question.body ? [['transfer-encoding', 'chunked']] : [])].flat();
    const outgoing = httpRequest({ host: '127.0.0.1', port, method, path, headers: flat, agent }, (answer) => {
      let text = '';
      const done = (whole: boolean): void => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text, whole });
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => (text += chunk));
      answer.on('end', () => done(true));
      answer.on('error', () => done(false));
    });
    outgoing.on('error', reject);
    send(outgoing, body).catch(reject);
  });
}

async function send(outgoing: ReturnType<typeof httpRequest>, body: NonNullable<Question['body']>): Promise<void> {
  for await (const piece of body) outgoing.write(piece);
  outgoing.end();
}
