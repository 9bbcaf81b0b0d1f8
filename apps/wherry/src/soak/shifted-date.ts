// Loaded before a process of the soak: its wall clock is off by what a file says, read again at SIGUSR2.
import { readFileSync } from 'node:fs';

const file = process.env['SOAK_CLOCK_FILE'];
const RightDate = globalThis.Date;
let offMs = 0;

class ShiftedDate extends RightDate {
  constructor(...parts: readonly unknown[]) {
    if (parts.length === 0) super(ShiftedDate.now());
    else super(...(parts as [number]));
  }

  static override now(): number {
    return RightDate.now() + offMs;
  }
}

if (file !== undefined) {
  globalThis.Date = ShiftedDate as DateConstructor;
  process.on('SIGUSR2', () => {
    offMs = Number(readFileSync(file, 'utf8')) || 0;
  });
}
