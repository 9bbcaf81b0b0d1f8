/** CRC-64/Jones, reflected, by halves of 32 bits: BigInt would take a hundred times as long. */
const LOW = new Uint32Array(256);
const HIGH = new Uint32Array(256);
const POLYNOMIAL_LOW = 0xac4bc9b5;
const POLYNOMIAL_HIGH = 0x95ac9329;

for (let n = 0; n < 256; n++) {
  let low = n;
  let high = 0;
  for (let bit = 0; bit < 8; bit++) {
    const odd = low & 1;
    low = (low >>> 1) | ((high & 1) << 31);
    high >>>= 1;
    if (odd === 1) {
      low ^= POLYNOMIAL_LOW;
      high ^= POLYNOMIAL_HIGH;
    }
  }
  LOW[n] = low >>> 0;
  HIGH[n] = high >>> 0;
}

/** The checksum at the end of an RDB file (Redis `crc64.c`: CRC-64/Jones, begins at 0). */
export class Crc64 {
  #low = 0;
  #high = 0;

  update(bytes: Uint8Array): void {
    let low = this.#low;
    let high = this.#high;
    for (const byte of bytes) {
      const index = (low ^ byte) & 0xff;
      low = (((low >>> 8) | (high << 24)) ^ (LOW[index] ?? 0)) >>> 0;
      high = ((high >>> 8) ^ (HIGH[index] ?? 0)) >>> 0;
    }
    this.#low = low;
    this.#high = high;
  }

  get value(): bigint {
    return (BigInt(this.#high) << 32n) | BigInt(this.#low);
  }
}
