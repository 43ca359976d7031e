// Places as text, always to be printed by `Ltr`: with letters for the axes and with how far they may be off.
//
//     34.1217° N, 71.0936° E ± 300 m
//
// Degrees come as whole numbers of 1e-7; no more digits are shown than the precision carries.
import type { Place } from './api';

// A place may be broken over two lines between its parts only.
const nbsp = '\u00a0';

function degrees(e7: number, positive: string, negative: string, places: number): string {
  return `${(Math.abs(e7) / 1e7).toFixed(places)}°${nbsp}${e7 < 0 ? negative : positive}`;
}

/** 1e-4 degrees are 11 m, 1e-1 degrees 11 km. */
function places(precision_m: number): number {
  if (precision_m < 100) return 4;
  if (precision_m < 1_000) return 3;
  return precision_m < 30_000 ? 2 : 1;
}

export function metres(m: number): string {
  return m >= 1_000 ? `${m % 1_000 === 0 ? m / 1_000 : (m / 1_000).toFixed(1)}${nbsp}km` : `${m}${nbsp}m`;
}

export function placeText(place: Omit<Place, 'gazetteer_id'>): string {
  const digits = places(place.precision_m);
  const point = (lat: number, lon: number) => `${degrees(lat, 'N', 'S', digits)},${nbsp}${degrees(lon, 'E', 'W', digits)}`;
  const from = point(place.s_e7, place.w_e7);
  const isPoint = place.s_e7 === place.n_e7 && place.w_e7 === place.e_e7;
  const text = isPoint ? from : `${from} … ${point(place.n_e7, place.e_e7)}`;
  // A box may carry all that is uncertain; then nothing is said beside it.
  return place.precision_m === 0 ? text : `${text} ±${nbsp}${metres(place.precision_m)}`;
}

/** The middle of a place, in degrees. */
export function middle(place: Omit<Place, 'gazetteer_id'>): { lat: number; lon: number } {
  return { lat: (place.s_e7 + place.n_e7) / 2e7, lon: (place.w_e7 + place.e_e7) / 2e7 };
}
