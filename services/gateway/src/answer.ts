import { STATUS_CODES, validateHeaderName, validateHeaderValue, type ServerResponse } from 'node:http';

/** An answer that is made once and written many times, by whichever way the question came. */
export class Answer {
  readonly status: number;
  /** Names and values in turn; Content-Length is among them. */
  readonly headers: readonly string[];
  /** ASCII. */
  readonly body: string;
  #head: string | undefined;

  constructor(status: number, headers: readonly string[], body = '') {
    this.status = status;
    this.headers = headers;
    this.body = body;
  }

  /** Status line and header lines as they are on the wire (RFC 9112 section 4), but Date and the empty line at the end. */
  get head(): string {
    return (this.#head ??= this.#write());
  }

  /** Writes it by node:http. */
  send(response: ServerResponse): void {
    response.writeHead(this.status, this.headers as string[]);
    response.end(this.body);
  }

  #write(): string {
    let text = `HTTP/1.1 ${this.status} ${STATUS_CODES[this.status] ?? ''}\r\n`;
    for (let at = 0; at < this.headers.length; at += 2) {
      const [name = '', value = ''] = this.headers.slice(at, at + 2);
      // As node:http does for each answer: nothing may end a line but its end.
      validateHeaderName(name);
      validateHeaderValue(name, value);
      text += `${name}: ${value}\r\n`;
    }
    return text;
  }
}
