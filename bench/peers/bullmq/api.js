// The peer's API: Fastify + BullMQ (Redis). POST /:model/predict waits for the result, POST /:model/jobs answers 202,
// GET /jobs/:id polls, GET /counts tells the backlog.
const { Queue, QueueEvents, Job } = require('bullmq');
const fastify = require('fastify')({ bodyLimit: 32e6 });

const connection = { host: '127.0.0.1', port: +process.env.REDIS_PORT };
const queue = new Queue('infer', { connection, defaultJobOptions: { removeOnComplete: 100000 } });
const events = new QueueEvents('infer', { connection });
queue.setMaxListeners(0);
events.setMaxListeners(0); // every waiting request listens

fastify.post('/:model/predict', async (request) => {
  const job = await queue.add(request.params.model, request.body);
  return job.waitUntilFinished(events, 60000);
});

fastify.post('/:model/jobs', async (request, reply) => {
  const job = await queue.add(request.params.model, request.body);
  reply.code(202).header('location', `/jobs/${job.id}`);
  return { id: job.id };
});

fastify.get('/jobs/:id', async (request) => {
  const job = await Job.fromId(queue, request.params.id);
  return { id: job.id, state: await job.getState(), result: job.returnvalue };
});

fastify.get('/counts', () => queue.getJobCounts('wait', 'active', 'prioritized', 'delayed'));

fastify.listen({ port: +process.env.PORT, host: '127.0.0.1' });
