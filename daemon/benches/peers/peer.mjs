// The peers, measured in the same words as benches/queue.rs: two lines of JSON, a drain and an idle latency.
//
//   node peer.mjs graphile|pgboss tuned|default      BENCH_URL, N, SAMPLES, GAP_MS
//
// "tuned" is the setting that the authors themselves publish or use for their own measurements; "default" is what
// one gets without any setting. A drain ends when the table says that every completion is committed.
import process from "node:process";
import pg from "pg";

const [peer, mode] = process.argv.slice(2);
const number = (name, fallback) => Number(process.env[name] ?? fallback);
const server = process.env.BENCH_URL;
const n = number("N", 20000), samples = number("SAMPLES", 300), gap = number("GAP_MS", 20);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** A database of its own; peers do not see each other's dead rows. */
async function freshDatabase(name) {
  const client = new pg.Client(server);
  await client.connect();
  await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  await client.query(`CREATE DATABASE ${name}`);
  await client.query("CHECKPOINT");
  await client.end();
  return server.replace(/\/[^/]*$/, `/${name}`);
}

const graphile = {
  presets: {
    default: { concurrentJobs: 1 },
    tuned: {
      concurrentJobs: 24, maxPoolSize: 25, localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0,
    },
  },
  left: "SELECT count(*) AS n FROM graphile_worker._private_jobs",
  async open(url) {
    const { Logger, makeWorkerUtils, run } = await import("graphile-worker");
    const quiet = { logger: new Logger(() => () => {}) };
    const utils = await makeWorkerUtils({ connectionString: url, ...quiet });
    await utils.migrate();
    let runner;
    return {
      enqueue: (numbers) =>
        utils.addJobs(numbers.map((i) => ({ identifier: "noop", payload: { i } }))),
      enqueueOne: (i) => utils.addJob("probe", { i }),
      async start(done, probe) {
        const taskList = { noop: () => done(1), probe: ({ i }) => probe(i) };
        const worker = { connectionString: url, ...graphile.presets[mode] };
        runner = await run({ ...quiet, taskList, noHandleSignals: true, preset: { worker } });
      },
      async idle() {},
      stop: async () => { await runner.stop(); await utils.release(); },
    };
  },
};

const pgboss = {
  presets: {
    default: { boss: {}, queue: {}, work: {} },
    tuned: {
      boss: { max: 25, useListenNotify: true },
      queue: { notify: true },
      work: { localConcurrency: 4, batchSize: 500, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 },
    },
  },
  left: "SELECT count(*) AS n FROM pgboss.job WHERE name = 'noop' AND state <> 'completed'",
  async open(url) {
    const { PgBoss } = await import("pg-boss");
    const preset = pgboss.presets[mode];
    const boss = new PgBoss({ connectionString: url, ...preset.boss });
    boss.on("error", (error) => console.error(error.message));
    await boss.start();
    await boss.createQueue("noop", preset.queue);
    await boss.createQueue("probe", preset.queue);
    let onProbe;
    return {
      enqueue: (numbers) => boss.insert("noop", numbers.map((i) => ({ data: { i } }))),
      enqueueOne: (i) => boss.send("probe", { i }),
      async start(done, probe) {
        onProbe = probe;
        await boss.work("noop", preset.work, async (jobs) => done(jobs.length));
      },
      // A batch would wait for company; one job at a time is the kinder setting here.
      async idle() {
        await boss.offWork("noop");
        const work = { ...preset.work, batchSize: 1, burstWhenBatchFull: false };
        await boss.work("probe", work, async ([job]) => onProbe(job.data.i));
        await sleep(1500);
      },
      stop: () => boss.stop({ graceful: false }),
    };
  },
};

const lib = { graphile, pgboss }[peer];
const url = await freshDatabase(`bench_${peer}`);
const queue = await lib.open(url);
const watcher = new pg.Client(url);
await watcher.connect();

let begin = performance.now();
for (let first = 0; first < n; first += 1000) {
  await queue.enqueue(Array.from({ length: Math.min(1000, n - first) }, (_, i) => first + i));
}
const enqueued = performance.now() - begin;

const waiting = new Map();
let left = n, finished;
const all = new Promise((done) => (finished = done));
begin = performance.now();
await queue.start(
  (jobs) => { if ((left -= jobs) === 0) finished(); },
  (i) => waiting.get(i)(performance.now()),
);
await all;
while (Number((await watcher.query(lib.left)).rows[0].n) > 0) await sleep(1);
const drained = performance.now() - begin;
const rate = (ms) => Number((n / ms * 1000).toPrecision(5));
console.log(JSON.stringify({
  lib: peer, mode, n, enqueue_per_s: rate(enqueued), drain_s: drained / 1000, jobs_per_s: rate(drained),
}));

await sleep(2000);
await queue.idle();
const latencies = [];
for (let i = 0; i < samples; i++) {
  const entry = new Promise((entered) => waiting.set(i, entered));
  const begin = performance.now();
  await queue.enqueueOne(i);
  latencies.push(await entry - begin);
  // A polling peer must not be met at the same point of its interval each time.
  await sleep(mode === "default" && peer === "pgboss" ? Math.random() * 700 : gap);
}
latencies.sort((a, b) => a - b);
const at = (percent) => Number(latencies[Math.ceil(latencies.length * percent / 100) - 1].toFixed(3));
console.log(JSON.stringify({
  lib: peer, mode, latency: "before enqueue -> handler entry, idle", samples,
  p50_ms: at(50), p95_ms: at(95), p99_ms: at(99), max_ms: at(100),
}));
await queue.stop();
await watcher.end();
process.exit(0);
