// Cuts one line out of Natural Earth: the shared boundary of two countries in a TopoJSON file of world-atlas.
//
//   npm install world-atlas@2.0.2 topojson-client@3.1.0
//   node data/geography/extract-line.mjs node_modules/world-atlas/countries-10m.json 004 586 > lines.geojson
//
// It prints one GeoJSON feature collection on one line per vertex, so that a change of one vertex is a change of one
// line. Vertices are rounded to 5 decimals (about 1 m; the source's own grid is about 400 m). See
// agreements/hamsaya-accord/annexes/lines.md for what the line is and is not.
import { readFileSync } from "node:fs";
import { mesh } from "topojson-client";

const [file, one, other] = process.argv.slice(2);
if (!other) {
  console.error("usage: extract-line.mjs COUNTRIES.json ISO-NUMERIC ISO-NUMERIC");
  process.exit(2);
}
const topology = JSON.parse(readFileSync(file, "utf8"));
const pair = [one, other].sort().join();
const line = mesh(topology, topology.objects.countries, (a, b) => [a.id, b.id].sort().join() === pair);
const round = (degrees) => Math.round(degrees * 1e5) / 1e5;
const parts = line.coordinates.map((part) => part.map(([east, north]) => [round(east), round(north)]));
if (parts.length === 0) {
  console.error(`found no boundary shared by ${one} and ${other}\nhint: ids are ISO 3166-1 numeric, three digits`);
  process.exit(1);
}

// Length on a sphere of 6,371,008.8 m: a description of this geometry, never a measure of a border.
const radians = Math.PI / 180;
const distance_m = ([e1, n1], [e2, n2]) => {
  const h =
    Math.sin(((n2 - n1) * radians) / 2) ** 2 +
    Math.cos(n1 * radians) * Math.cos(n2 * radians) * Math.sin(((e2 - e1) * radians) / 2) ** 2;
  return 2 * 6371008.8 * Math.asin(Math.sqrt(h));
};
const length_m = parts.reduce((sum, part) => sum + part.slice(1).reduce((s, v, i) => s + distance_m(part[i], v), 0), 0);

const properties = {
  id: "natural-earth-10m",
  source: "Natural Earth 4.1, 1:10 million, public domain; npm world-atlas 2.0.2, countries-10m.json",
  asserted_by: "the cartographers of Natural Earth; neither party",
  status: { P1: "not_stated", P2: "not_stated" },
  precision_m: 2000,
  length_m: Math.round(length_m / 1000) * 1000,
  length_note: "of this geometry at this scale; finer sources give up to 510 km more",
};
const text = parts.map((part) => `[\n${part.map((vertex) => JSON.stringify(vertex)).join(",\n")}\n]`).join(",\n");
console.log(
  `{"type":"FeatureCollection","features":[\n{"type":"Feature","properties":${JSON.stringify(properties)},\n` +
    `"geometry":{"type":"MultiLineString","coordinates":[\n${text}\n]}}\n]}`,
);
