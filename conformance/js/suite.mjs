// kafkajs against the broker named by BOOTSTRAP.
//
// Each case prints one line: `ok NAME`, `FAIL NAME: reason` or `skip NAME: reason`. Cases run side by side, with topics
// and groups of their own; names on the command line choose some of them.

import { createRequire } from 'node:module'
import { randomBytes } from 'node:crypto'
import { Buffer } from 'node:buffer'
import process from 'node:process'

const require = createRequire(import.meta.url)
const { Kafka, CompressionTypes, CompressionCodecs, ConfigResourceTypes, logLevel } = require('kafkajs')
const snappy = require('kafkajs-snappy')

CompressionCodecs[CompressionTypes.Snappy] = snappy

const kafka = new Kafka({
  clientId: 'conformance',
  brokers: [process.env.BOOTSTRAP ?? '127.0.0.1:9092'],
  logLevel: logLevel.NOTHING,
})

const unique = (prefix) => `${prefix}-${randomBytes(6).toString('hex')}`
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const text = (value) => (value === null || value === undefined ? null : value.toString())

function equal(what, got, expected) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(expected)]
  if (a !== b) throw new Error(`${what}: got ${a?.slice(0, 300)}, expected ${b?.slice(0, 300)}`)
}

async function until(what, check, seconds = 45) {
  const deadline = Date.now() + seconds * 1000
  while (Date.now() < deadline) {
    if (await check()) return
    await sleep(50)
  }
  throw new Error(`${what} did not come true within ${seconds} s`)
}

// The call must fail with this Kafka error.
async function refused(type, call) {
  try {
    await call()
  } catch (error) {
    const found = error.errors?.[0]?.type ?? error.groups?.[0]?.error?.type ?? error.type ?? error.cause?.type
    equal('error', found ?? String(error), type)
    return
  }
  throw new Error(`the call succeeded, expected ${type}`)
}

async function withAdmin(use) {
  const admin = kafka.admin()
  await admin.connect()
  try {
    return await use(admin)
  } finally {
    await admin.disconnect()
  }
}

async function newTopic(numPartitions = 1, configEntries = []) {
  const topic = unique('js')
  await withAdmin((admin) => admin.createTopics({ topics: [{ topic, numPartitions, configEntries }], waitForLeaders: true }))
  return topic
}

async function send(topic, messages, { options = {}, ...how } = {}) {
  const producer = kafka.producer(options)
  await producer.connect()
  try {
    return await producer.send({ topic, messages, ...how })
  } finally {
    await producer.disconnect()
  }
}

// A consumer that notes what it sees; stop() leaves the group.
async function consume(topic, groupId, { options = {}, run = {}, from = true } = {}) {
  const consumer = kafka.consumer({ groupId, ...options })
  const seen = []
  const assigned = []
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    assigned.splice(0, assigned.length, ...(payload.memberAssignment[topic] ?? []))
  })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: from })
  await consumer.run({ eachMessage: async ({ partition, message }) => seen.push({ partition, ...message }), ...run })
  return { consumer, seen, assigned, stop: () => consumer.disconnect() }
}

async function readAll(topic, count, options = {}) {
  const reader = await consume(topic, unique('js-reader'), { options })
  try {
    await until(`${count} records`, () => reader.seen.length >= count)
    return reader.seen
  } finally {
    await reader.stop()
  }
}

const cases = new Map()

// gzip is built in, snappy is the plug-in its documentation names; the others need native code.
const codecs = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy }
for (const [name, compression] of Object.entries(codecs)) {
  cases.set(`codec_${name}`, async () => {
    const topic = await newTopic()
    const sent = [
      { key: 'k1', value: 'plain', headers: { trace: 'abc', twice: ['one', 'two'], empty: '' } },
      { key: null, value: 'no key' },
      { key: 'tombstone', value: null },
      { key: '', value: '' },
      ...Array.from({ length: 200 }, (_, i) => ({ key: `many-${i}`, value: 'repeated text '.repeat(20) })),
    ]
    const big = randomBytes(900 * 1024)
    await send(topic, sent, { compression })
    await send(topic, [{ key: 'big', value: big }], { compression })
    const got = await readAll(topic, sent.length + 1)
    equal('records', got.length, sent.length + 1)
    got.slice(0, -1).forEach((message, i) => {
      equal('offset', message.offset, String(i))
      equal('record', [text(message.key), text(message.value)], [sent[i].key, sent[i].value])
    })
    const { trace, twice, empty } = got[0].headers
    equal('headers', [text(trace), twice.map(text), text(empty)], ['abc', ['one', 'two'], ''])
    if (!got.at(-1).value.equals(big)) throw new Error('900 KiB came back different')
  })
}

for (const acks of [0, 1, -1]) {
  cases.set(`acks_${acks === -1 ? 'all' : acks}`, async () => {
    const topic = await newTopic()
    await send(topic, Array.from({ length: 200 }, (_, i) => ({ value: String(i) })), { acks })
    const got = await readAll(topic, 200)
    equal('values', got.map((m) => text(m.value)), Array.from({ length: 200 }, (_, i) => String(i)))
  })
}

cases.set('idempotent_producer_keeps_order', async () => {
  const topic = await newTopic()
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  for (let i = 0; i < 20; i++) {
    const [{ baseOffset }] = await producer.send({ topic, messages: Array.from({ length: 50 }, (_, j) => ({ value: String(i * 50 + j) })) })
    equal('base offset', baseOffset, String(i * 50))
  }
  await producer.disconnect()
  const got = await readAll(topic, 1000)
  equal('values', got.map((m) => Number(text(m.value))), Array.from({ length: 1000 }, (_, i) => i))
})

const transactional = async (transactionalId, use) => {
  const producer = kafka.producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  try {
    return await use(producer)
  } finally {
    await producer.disconnect()
  }
}

// A transaction with each value in both partitions of a topic, still to be ended.
async function begin(producer, topic, values) {
  const transaction = await producer.transaction()
  await transaction.send({ topic, messages: values.flatMap((value) => [0, 1].map((partition) => ({ value, partition }))) })
  return transaction
}

const valuesOf = (seen) => [0, 1].map((at) => seen.filter((m) => m.partition === at).map((m) => text(m.value)))

cases.set('transactions_are_read_whole_or_not_at_all', async () => {
  const topic = await newTopic(2)
  const kept = []
  await transactional(unique('js-txn'), async (producer) => {
    for (let number = 0; number < 6; number++) {
      const values = [`${number}-a`, `${number}-b`]
      const transaction = await begin(producer, topic, values)
      // The last is committed: readers come to the end of what the others left.
      if (number % 2 === 0) {
        await transaction.abort()
      } else {
        await transaction.commit()
        kept.push(...values)
      }
    }
  })
  equal('values', valuesOf(await readAll(topic, 2 * kept.length)), [kept, kept])
  const everything = await readAll(topic, 24, { readUncommitted: true })
  equal('values that were written', valuesOf(everything).map((values) => values.length), [12, 12])
})

cases.set('a_producer_that_was_replaced_commits_nothing', async () => {
  const topic = await newTopic(2)
  const id = unique('js-fence')
  await transactional(id, async (first) => {
    const lost = await begin(first, topic, ['lost'])
    await transactional(id, async (second) => {
      const kept = await begin(second, topic, ['kept'])
      await refused('INVALID_PRODUCER_EPOCH', () => lost.commit())
      await kept.commit()
    })
  })
  equal('values', valuesOf(await readAll(topic, 2)), [['kept'], ['kept']])
})

cases.set('offsets_are_committed_with_what_was_made_of_them', async () => {
  const source = await newTopic()
  const target = await newTopic(2)
  const groupId = unique('js-eos')
  await send(source, Array.from({ length: 50 }, (_, i) => ({ value: String(i) })))
  const offset = async () => {
    const [{ partitions }] = await withAdmin((admin) => admin.fetchOffsets({ groupId, topics: [source] }))
    return partitions[0].offset
  }
  await transactional(unique('js-eos'), async (producer) => {
    for (const [end, at] of [['abort', '-1'], ['commit', '50']]) {
      const reader = await consume(source, groupId, { run: { autoCommit: false } })
      await until('what nothing was made of yet', () => reader.seen.length >= 50)
      const transaction = await begin(producer, target, reader.seen.map((m) => m.value))
      const topics = [{ topic: source, partitions: [{ partition: 0, offset: '50' }] }]
      await transaction.sendOffsets({ consumerGroupId: groupId, topics })
      await transaction[end]()
      await reader.stop()
      // Kafka answers a commit before its markers are written.
      await until(`the group's offset after ${end}`, async () => (await offset()) === at)
    }
  })
  const numbers = Array.from({ length: 50 }, (_, i) => String(i))
  equal('values', valuesOf(await readAll(target, 100)), [numbers, numbers])
})

cases.set('keys_choose_partitions', async () => {
  const topic = await newTopic(4)
  await send(topic, Array.from({ length: 200 }, (_, i) => ({ key: `key-${i % 10}`, value: String(i) })))
  const homes = new Map()
  for (const { key, partition } of await readAll(topic, 200)) {
    homes.set(text(key), (homes.get(text(key)) ?? new Set()).add(partition))
  }
  equal('partitions per key', [...homes.values()].map((p) => p.size), Array(10).fill(1))
})

cases.set('group_of_two_reads_every_record_once', async () => {
  const topic = await newTopic(6)
  const groupId = unique('js-two')
  const batch = () => send(topic, Array.from({ length: 600 }, (_, i) => ({ value: 'v', partition: i % 6 })))
  await batch()
  const one = await consume(topic, groupId)
  await until('the first member reading everything', () => one.seen.length >= 600)
  const two = await consume(topic, groupId)
  await until('both members sharing the partitions', () => one.assigned.length === 3 && two.assigned.length === 3)
  await batch()
  await until('two members reading everything', () => one.seen.length + two.seen.length >= 1200)
  await two.stop()
  await until('the member left behind taking over', () => one.assigned.length === 6)
  await batch()
  await until('it reading everything', () => one.seen.length + two.seen.length >= 1800)
  await one.stop()
  const places = [...one.seen, ...two.seen].map((m) => `${m.partition}:${m.offset}`)
  equal('records and distinct records', [places.length, new Set(places).size], [1800, 1800])
})

cases.set('commit_and_resume', async () => {
  const topic = await newTopic()
  const groupId = unique('js-commit')
  await send(topic, Array.from({ length: 100 }, (_, i) => ({ value: String(i) })))
  const first = await consume(topic, groupId, { run: { autoCommit: false } })
  await until('the first reader', () => first.seen.length >= 100)
  await first.consumer.commitOffsets([{ topic, partition: 0, offset: '40', metadata: 'forty' }])
  await first.stop()
  const committed = await withAdmin((admin) => admin.fetchOffsets({ groupId, topics: [topic] }))
  const { offset, metadata } = committed[0].partitions[0]
  equal('committed', [offset, metadata], ['40', 'forty'])
  const second = await consume(topic, groupId)
  await until('the second reader', () => second.seen.length >= 60)
  await second.stop()
  equal('offsets', second.seen.map((m) => Number(m.offset)), Array.from({ length: 60 }, (_, i) => i + 40))
})

cases.set('seek_by_time', async () => {
  const topic = await newTopic()
  const start = Date.now() - 3_600_000
  await send(topic, Array.from({ length: 60 }, (_, i) => ({ value: String(i), timestamp: String(start + i * 1000) })))
  const ask = async (at) => (await withAdmin((admin) => admin.fetchTopicOffsetsByTimestamp(topic, at)))[0].offset
  equal('offset at an exact time', await ask(start + 30_000), '30')
  equal('offset between two times', await ask(start + 30_001), '31')
  equal('offset after the last time', await ask(start + 3_000_000), '60')
  const [{ low, high }] = await withAdmin((admin) => admin.fetchTopicOffsets(topic))
  equal('low and high', [low, high], ['0', '60'])
  const reader = await consume(topic, unique('js-time'), { from: false })
  reader.consumer.seek({ topic, partition: 0, offset: '45' })
  await until('records after seeking', () => reader.seen.length >= 15)
  await reader.stop()
  equal('first after seeking', [reader.seen[0].offset, reader.seen[0].timestamp], ['45', String(start + 45_000)])
})

cases.set('topics_create_describe_delete', () =>
  withAdmin(async (admin) => {
    const topic = unique('js-topic')
    const topics = [{ topic, numPartitions: 3 }]
    equal('created', await admin.createTopics({ topics, waitForLeaders: true }), true)
    equal('created again', await admin.createTopics({ topics }), false)
    const { topics: found } = await admin.fetchTopicMetadata({ topics: [topic] })
    equal('partitions', found[0].partitions.length, 3)
    await admin.createPartitions({ topicPartitions: [{ topic, count: 5 }] })
    await until('five partitions', async () => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length === 5)
    await refused('INVALID_PARTITIONS', () => admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] }))
    await admin.deleteTopics({ topics: [topic] })
    await until('the topic gone', async () => !(await admin.listTopics()).includes(topic))
    await refused('UNKNOWN_TOPIC_OR_PARTITION', () => admin.deleteTopics({ topics: [topic] }))
  }))

cases.set('configs_describe_and_alter', async () => {
  const name = await newTopic(1, [{ name: 'retention.ms', value: '3600000' }])
  await withAdmin(async (admin) => {
    const resource = { type: ConfigResourceTypes.TOPIC, name }
    const value = async (key) => {
      const { resources } = await admin.describeConfigs({ resources: [resource], includeSynonyms: true })
      return resources[0].configEntries.find((entry) => entry.configName === key)
    }
    equal('a set value', (await value('retention.ms')).configValue, '3600000')
    equal('a default', (await value('max.message.bytes')).isDefault, true)
    await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries: [{ name: 'max.message.bytes', value: '2000000' }] }] })
    await until('the altered value', async () => (await value('max.message.bytes')).configValue === '2000000')
    equal('what the old call does not name', (await value('retention.ms')).configValue, '604800000')
  })
})

cases.set('groups_list_describe_delete', async () => {
  const topic = await newTopic()
  const groupId = unique('js-groups')
  await send(topic, [{ value: 'v' }])
  const reader = await consume(topic, groupId)
  await until('the record', () => reader.seen.length === 1)
  await withAdmin(async (admin) => {
    const [described] = (await admin.describeGroups([groupId])).groups
    equal('state', [described.state, described.members.length], ['Stable', 1])
    const listed = (await admin.listGroups()).groups.map((group) => group.groupId)
    equal('listed', listed.includes(groupId), true)
    await refused('NON_EMPTY_GROUP', () => admin.deleteGroups([groupId]))
    await reader.stop()
    await admin.resetOffsets({ groupId, topic, earliest: true })
    await admin.deleteGroups([groupId])
    await refused('GROUP_ID_NOT_FOUND', () => admin.deleteGroups([groupId]))
  })
})

cases.set('delete_records', async () => {
  const topic = await newTopic()
  await send(topic, Array.from({ length: 100 }, (_, i) => ({ value: String(i) })))
  await withAdmin(async (admin) => {
    await admin.fetchTopicOffsets(topic) // kafkajs deletes records only of topics it has looked up before
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '37' }] })
  })
  equal('first left', (await readAll(topic, 63))[0].offset, '37')
})

cases.set('too_large_record_is_refused', async () => {
  const topic = await newTopic()
  await refused('MESSAGE_TOO_LARGE', () => send(topic, [{ value: randomBytes(1_500_000) }], { options: { retry: { retries: 0 } } }))
})

cases.set('metadata_creates_the_topic', async () => {
  const topic = unique('js-auto')
  await send(topic, [{ value: 'first' }])
  equal('values', (await readAll(topic, 1)).map((m) => text(m.value)), ['first'])
})

cases.set('unknown_topic_is_an_error', async () => {
  const options = { allowAutoTopicCreation: false, retry: { retries: 1 } }
  await refused('UNKNOWN_TOPIC_OR_PARTITION', () => send(unique('js-unknown'), [{ value: 'v' }], { options }))
})

cases.set('cluster_is_described', () =>
  withAdmin(async (admin) => {
    const { brokers, controller, clusterId } = await admin.describeCluster()
    if (!clusterId || brokers.length === 0 || controller === null) throw new Error('cluster id, brokers or controller missing')
  }))

async function runOne([name, run]) {
  try {
    await Promise.race([run(), sleep(90_000).then(() => Promise.reject(new Error('not finished after 90 s')))])
    console.log(`ok ${name}`)
    return true
  } catch (error) {
    console.log(`FAIL ${name}: ${String(error?.message ?? error).replace(/\s+/g, ' ')}`)
    console.error(error)
    return false
  }
}

const names = process.argv.slice(2)
const waiting = [...cases].filter(([name]) => names.length === 0 || names.includes(name))
const verdicts = []
await Promise.all(Array.from({ length: 8 }, async () => {
  while (waiting.length > 0) verdicts.push(await runOne(waiting.shift()))
}))
process.exit(verdicts.every(Boolean) ? 0 : 1)
