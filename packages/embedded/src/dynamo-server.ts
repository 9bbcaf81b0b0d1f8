// The process that startDynamo starts: dynalite on loopback. Arguments: port, data folder.
import dynalite from 'dynalite';

const [port, folder] = process.argv.slice(2);
const server = dynalite({ path: folder, createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 });
server.listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'));
