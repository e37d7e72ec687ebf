// Records of this machine: a short run of the lab, with whatever routes, links and rights there are here.

import { execFileSync } from 'node:child_process'
import process from 'node:process'

// What is run, and for how many seconds at most. The figures say little; the page must bear their shapes.
const RUNS = [
  { seconds: 90, args: ['routes', '--rounds', '1', '--mib', '1', '--size', '4KiB,64KiB,1MiB', '--receiver', 'drain'] },
  { seconds: 90, args: ['proof'] },
]

// The lines that the lab writes, files to send being made in `folder`. Throws where it fails or is too slow.
export function measured(folder) {
  return RUNS.map(({ seconds, args }) => {
    const all = ['lab', ...args, '-o', 'json', '--file-dir', folder]
    const options = { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], timeout: seconds * 1000, maxBuffer: 64 << 20 }
    return execFileSync(process.env.PAGEWIRE, all, options)
  }).join('')
}
