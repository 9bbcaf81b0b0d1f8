import { malformed, type ByteReader } from './byte-reader.ts';
import type { ReplicatedCommand } from './effects.ts';

/** Longest argument that is held: no session is longer, and what is longer is read from the server where it matters. */
const MOST_ARGUMENT_BYTES = 1024 * 1024;
/** Most arguments of one command; more is no command of any client. */
const MOST_ARGUMENTS = 4 * 1024 * 1024;

/** Reads the next command of a replication stream (RESP arrays of bulk strings), passing over empty lines, which keep the way alive. */
export async function readCommand(reader: ByteReader): Promise<ReplicatedCommand> {
  let line = await readLine(reader);
  while (line === '') line = await readLine(reader);
  const count = numberAfter('*', line);
  if (count < 1 || count > MOST_ARGUMENTS) throw malformed('a command of no arguments, or of too many');
  const args: (Buffer | undefined)[] = [];
  for (let n = 0; n < count; n++) args.push(await readArgument(reader));
  return { name: args[0]?.toString('latin1').toUpperCase() ?? '', args: args.slice(1) };
}

/** A primary that has nothing to say sends single line feeds, without CR. */
async function readLine(reader: ByteReader): Promise<string> {
  const text = await reader.line();
  return text.replace(/^\n+/, '');
}

async function readArgument(reader: ByteReader): Promise<Buffer | undefined> {
  const length = numberAfter('$', await reader.line());
  if (length > MOST_ARGUMENT_BYTES) {
    await reader.skip(length + 2);
    return undefined;
  }
  // A copy: what is taken is valid until the next reading only.
  const argument = Buffer.from(await reader.take(length));
  await reader.skip(2);
  return argument;
}

function numberAfter(mark: string, line: string): number {
  if (!line.startsWith(mark) || !/^.\d{1,10}$/.test(line)) throw malformed('a command of an unknown form');
  return Number(line.slice(1));
}
