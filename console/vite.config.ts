import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: 'es2022',
    // Files, never `data:` addresses: the node's content security policy allows fonts and scripts from its own origin only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    // Words live beside the console, in `locales/`.
    fs: { allow: ['..'] },
    // `HAMSAYA_URL=http://127.0.0.1:7411 npm run dev` shows a running node.
    proxy: process.env.HAMSAYA_URL ? { '/api': process.env.HAMSAYA_URL } : undefined,
  },
  test: { include: ['test/**/*.test.ts'] },
});
