import { WherryError } from '@wherry/core';

/** So many at once, and then so many in each such time, evenly. */
export interface RateWindow {
  readonly quota: number;
  readonly seconds: number;
}

const FORM = /^[1-9][0-9]{0,8}\/[1-9][0-9]{0,4}[smhd](,[1-9][0-9]{0,8}\/[1-9][0-9]{0,4}[smhd]){0,3}$/;

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Reads windows in their written form: `20/1s`, or several with commas between: `20/1s,600/1m,10000/1h`. Errors: `config_invalid`. */
export function readRateWindows(text: string): readonly RateWindow[] {
  if (!FORM.test(text))
    throw new WherryError('config_invalid', `a rate is ${JSON.stringify(text.slice(0, 60))}; allowed is e.g. 20/1s or 20/1s,600/1m`);
  return text.split(',').map((part) => {
    const [quota = '', span = ''] = part.split('/');
    return { quota: Number(quota), seconds: Number(span.slice(0, -1)) * (UNIT_SECONDS[span.slice(-1)] ?? 1) };
  });
}
