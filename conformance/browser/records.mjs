// Records as the lab writes them, made up: figures of no machine, in the shapes that a page has to bear. Twelve ways, nine
// sizes, settings with and without losses; names that are long or hostile; brokers of which one lacks a figure.

const KIB = 1024
const SIZES = [1, 4, 8, 16, 64, 256, 1024, 8192, 65536].map((kib) => kib * KIB)

// Name, fixed microseconds a response, CPU seconds per GB.
const WAYS = [
  ['auto', 2.6, 0.135],
  ['copy', 2.5, 0.29],
  ['direct', 9.0, 0.37],
  ['ktls', 3.8, 0.31],
  ['mmap', 1.8, 0.16],
  ['read-write-1m', 2.7, 0.27],
  ['read-write-32k', 2.6, 0.35],
  ['sendfile', 3.9, 0.132],
  ['sendfile-bare', 3.8, 0.13],
  ['splice', 4.1, 0.115],
  ['uring', 7.5, 0.25],
  ['zerocopy', 6.0, 0.27],
]

// The same figures every time.
function generator(seed) {
  let state = seed
  return () => {
    state = (state * 1103515245 + 12345) % 2147483648
    return state / 2147483648
  }
}

const random = generator(7)

function spread(middle, share = 0.2) {
  const [low, high] = [1 - share * random(), 1 + share * random()]
  return { min: middle * low, median: middle, max: middle * high }
}

export const HOSTILE = '<img src=x onerror=alert(1)>"&\''

function machine(offload = 'on') {
  return {
    kernel: '6.12.0-made-up',
    cpu: 'A processor with a name as long as the longest that vendors give, 64-Core',
    cpus: 2,
    memory_mib: 24012,
    congestion_control: 'cubic',
    congestion_control_default: 'bbr',
    offloads: { 'scatter-gather': offload, 'tx-checksumming': 'on', 'tcp-segmentation-offload': offload },
    file_system: 'ext4',
    load: 0.74,
    began: '2026-01-02T03:04:05Z',
  }
}

function cell([route, fixedUs, perGb], bytes, [link, residency, receiver]) {
  const slower = { loopback: 1, veth: 1.15, 'veth-nosg': 2.4 }[link] * (residency === 'cold' ? 1.3 : 1)
  const cost = ((fixedUs * 1000) / bytes + perGb) * slower * (0.95 + 0.1 * random())
  return {
    route,
    bytes,
    residency,
    receiver,
    link,
    cpu_s_per_gb: spread(cost),
    system_cpu_s_per_gb: spread(cost * (receiver === 'read' ? 1.9 : 1.15)),
    mb_per_s: spread(residency === 'cold' ? 380 / cost ** 0.3 : 700 / cost),
    cpu_us_per_response: spread((cost * bytes) / 1000),
    syscalls_per_mib: Math.max(1, (1 << 20) / bytes),
    crossings_per_mib: Math.max(2, (2 << 20) / bytes) + (route === 'mmap' ? 256 : 0),
    faults_per_mib: route === 'mmap' ? 256 : 0,
    cpu_copies: { sendfile: 0, splice: 0, 'sendfile-bare': 0, auto: 0, copy: 2 }[route] ?? 1,
    measured: ['sendfile', 'splice', 'copy'].includes(route),
    dma_copies: residency === 'cold' ? 1 : 0,
    by_route: route === 'ktls' ? 0 : 1,
    ...(route === 'ktls' ? { why: 'no TLS module' } : {}),
    header_bytes: 60,
    syscalls_how: 'counted',
    rounds: 5,
    machine: machine(link === 'veth-nosg' ? 'off' : 'on'),
  }
}

const SETTINGS = [
  ['loopback', 'hot', 'drain'],
  ['loopback', 'hot', 'read'],
  ['loopback', 'cold', 'drain'],
  ['veth-nosg', 'hot', 'drain'],
]

const proof = [
  ...['sendfile', 'splice', 'sendfile-bare'].map((route) => ({
    route, available: true, aliased: 1, control: 0, cpu_copies: 0, how: 'aliasing+page-allocations', allocated: 0.0004,
  })),
  ...['copy', 'mmap', 'direct'].map((route) => ({
    route, available: true, aliased: 0, control: 0, cpu_copies: route === 'copy' ? 2 : 1, how: 'aliasing', allocated: 0.98,
  })),
  { route: 'zerocopy', available: true, aliased: 0, control: 0, cpu_copies: 1, how: 'kernel-report', reported_copied: 1 },
  { route: 'ktls', available: false, why: 'the kernel has no TLS module (ENOENT)' },
]

const claims = [
  { claim: 'A non-blocking socket makes sendfile non-blocking.', holds: false,
    evidence: 'A cold MiB blocked the caller for 3.5 ms (median of 21), a hot one for 0.24 ms.',
    figures: { cold_blocked_ms: 3.526, hot_blocked_ms: 0.238 } },
  { claim: 'One call instead of two spares border crossings.', holds: true,
    evidence: 'sendfile crossed the border twice per MiB, read and send 64 times.',
    figures: { sendfile_crossings_per_mib: 2, read_write_crossings_per_mib: 64 } },
  { claim: `epoll uses mmap ${HOSTILE}`, holds: null, evidence: 'No epoll here.', figures: {} },
]

function driven(broker, name, factor) {
  const distribution = []
  for (let nines = 0; nines <= 4; nines += 0.08) distribution.push([100 - 100 * 10 ** -nines, factor * (180 + 260 * nines ** 2.4)])
  distribution.push([100, factor * 14000])
  return {
    broker,
    case: name,
    settings: { record_bytes: '1024', partitions: '6' },
    figures: {
      mb_per_s: spread(420 / factor),
      records_per_s: spread(410000 / factor),
      // Where every client's CPU is known, a rate is shown also of a broker whose own is not.
      ...(name === 'fetch-hot' ? { client_cpu_s_per_gb: spread(0.3), client_cpu_us_per_record: spread(0.31) } : {}),
      ...(broker === HOSTILE ? {} : { cpu_s_per_gb: spread(0.6 * factor), rss_mib: spread(90 * factor ** 3), client_cpu_cores: spread(0.4) }),
    },
    latency_us: Object.fromEntries(
      [['p50', 220], ['p99', 1560], ['p99.9', 3800], ['max', 14000]].map(([p, us]) => [p, spread(us * factor, 0.4)])),
    distribution,
    // Standing still for a second, which a long line must not hide.
    timeline: Array.from({ length: 180 }, (_, second) => [second + 1, second === 71 ? 0 : (420 / factor) * (0.85 + 0.3 * random())]),
    rounds: 3,
    ...(factor > 1 ? { ratio_to_first: { mb_per_s: spread(1 / factor), ...(broker === HOSTILE ? {} : { cpu_s_per_gb: spread(factor) }), p99_us: spread(factor) } } : {}),
    ...(broker === HOSTILE ? { notes: ['its process is not on this machine: its CPU and memory are unknown'] } : {}),
    machine: machine(),
  }
}

export const records = [
  ...SETTINGS.flatMap((setting) => SIZES.flatMap((bytes) => WAYS.map((way) => cell(way, bytes, setting)))),
  ...proof,
  ...claims,
  ...['produce', 'fetch-hot'].flatMap((name) => [
    driven('pagewire', name, 1),
    driven('another-broker-on-a-jvm', name, 1.9),
    driven(HOSTILE, name, 2.6),
  ]),
]
