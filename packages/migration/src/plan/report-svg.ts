import type { HistogramBin } from '../analysis/histogram.ts';

/** A bar of a chart: its label is plain text, escaped here. */
export interface Bar {
  readonly label: string;
  readonly value: number;
  /** At the end of the bar. */
  readonly text: string;
}

const ROW = 22;
const LABELS = 250;
const BARS = 400;
const WIDTH = 760;

/** A chart of bars as inline SVG, for a page that defines the classes `bar` and `text`. */
export function barChart(title: string, bars: readonly Bar[]): string {
  const most = Math.max(1, ...bars.map(({ value }) => value));
  const height = bars.length * ROW + 4;
  const rows = bars.map(({ label, value, text }, index) => {
    const y = index * ROW;
    const width = ((BARS * value) / most).toFixed(1);
    return [
      `<text class="text" x="${LABELS - 8}" y="${y + 15}" text-anchor="end">${escapeHtml(label)}</text>`,
      `<rect class="bar" x="${LABELS}" y="${y + 3}" width="${width}" height="${ROW - 7}" rx="2"/>`,
      `<text class="text" x="${(LABELS + Number(width) + 6).toFixed(1)}" y="${y + 15}">${escapeHtml(text)}</text>`,
    ].join('');
  });
  return `<svg role="img" aria-label="${escapeHtml(title)}" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}">${rows.join('')}</svg>`;
}

/** The ranges of a histogram as bars, those without bound and count left out. */
export function bins(histogram: readonly HistogramBin[], words: (bound: number) => string): Bar[] {
  const last = histogram.at(-2)?.upTo ?? 0;
  return histogram
    .filter(({ upTo, count }) => upTo !== null || count > 0)
    .map(({ upTo, count }) => ({
      label: upTo === null ? `more than ${words(last)}` : `up to ${words(upTo)}`,
      value: count,
      text: count.toLocaleString('en-US'),
    }));
}

/** Seconds for people. */
export function secondsText(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${seconds / 60} min`;
  return seconds < 86_400 ? `${seconds / 3600} h` : `${seconds / 86_400} d`;
}

/** Bytes for people. */
export function bytesText(bytes: number): string {
  return bytes < 1024 ? `${bytes} B` : `${bytes / 1024} KiB`;
}

/** Text that is safe between tags and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;');
}
