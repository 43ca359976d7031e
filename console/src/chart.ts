// A plain map: what to draw from the node's lines and crossings, and where it falls on a sheet of given width.
//
// Equirectangular, true at the middle parallel: enough for a sheet that only says where things lie to each other.

export interface At {
  lat: number;
  lon: number;
}

export interface Frame {
  width: number;
  height: number;
  x(lon: number): number;
  y(lat: number): number;
}

const margin = 16;

/** Fits points into a sheet `width` wide and at most `tallest` high. */
export function project(points: At[], width: number, tallest = 480): Frame {
  if (points.length === 0) return { width, height: tallest, x: () => width / 2, y: () => tallest / 2 };
  const lats = points.map((at) => at.lat);
  const lons = points.map((at) => at.lon);
  const bounds = (values: number[]) =>
    values.reduce(([low, high], v) => [Math.min(low, v), Math.max(high, v)] as [number, number], [Infinity, -Infinity] as [number, number]);
  const [south, north] = bounds(lats);
  const [west, east] = bounds(lons);
  const squeeze = Math.cos((((south + north) / 2) * Math.PI) / 180);
  const across = Math.max((east - west) * squeeze, 0.1);
  const up = Math.max(north - south, 0.1);
  const scale = Math.min((width - 2 * margin) / across, (tallest - 2 * margin) / up);
  // A tall story stands in the middle of a wide sheet.
  const start = (width - across * scale) / 2;
  return {
    width,
    height: Math.round(up * scale + 2 * margin),
    x: (lon) => start + (lon - west) * squeeze * scale,
    y: (lat) => margin + (north - lat) * scale,
  };
}

interface Geometry {
  type?: string;
  coordinates?: unknown;
  geometry?: Geometry;
  features?: Geometry[];
  geometries?: Geometry[];
  lines?: Geometry[];
}

/** Every polyline in an answer: a feature collection, a list of features, or a list of `{ geometry, … }`. */
export function linesOf(answer: unknown): At[][] {
  if (!answer || typeof answer !== 'object') return [];
  if (Array.isArray(answer)) return answer.flatMap(linesOf);
  const { type, coordinates, geometry, features, geometries, lines } = answer as Geometry;
  const line = (points: unknown) => (points as [number, number][]).map(([lon, lat]) => ({ lat, lon }));
  if (type === 'LineString' && Array.isArray(coordinates)) return [line(coordinates)];
  if (type === 'MultiLineString' && Array.isArray(coordinates)) return coordinates.map(line);
  return [geometry, ...(features ?? []), ...(geometries ?? []), ...(lines ?? [])].flatMap(linesOf);
}

export interface Gate extends At {
  id: string;
  name: string | Record<string, string>;
  precision_m: number;
}

/** Crossings of an answer, as Annex L types them: a list, or a list under `crossings` or `crossing`. */
export function crossingsOf(answer: unknown): Gate[] {
  if (!answer || typeof answer !== 'object') return [];
  const wrapped = answer as { crossings?: unknown; crossing?: unknown };
  const list = Array.isArray(answer) ? answer : (wrapped.crossings ?? wrapped.crossing);
  if (!Array.isArray(list)) return [];
  return list.flatMap((gate: { id: string; name: Gate['name']; lat_e7?: number; lon_e7?: number; precision_m?: number }) =>
    gate.lat_e7 === undefined || gate.lon_e7 === undefined
      ? []
      : [{ id: gate.id, name: gate.name ?? gate.id, lat: gate.lat_e7 / 1e7, lon: gate.lon_e7 / 1e7, precision_m: gate.precision_m ?? 0 }],
  );
}
