// The peer's worker: BullMQ + onnxruntime-node, 32 jobs at once, unbatched, as its users write it.
const { Worker } = require('bullmq');
const ort = require('onnxruntime-node');

const connection = { host: '127.0.0.1', port: +process.env.REDIS_PORT };
const models = {};

async function infer(job) {
  const session = models[job.name];
  const [output] = session.outputNames;
  const { data, shape } = job.data.inputs[0];
  const x = new ort.Tensor('float32', Float32Array.from(data), shape);
  const y = (await session.run({ [session.inputNames[0]]: x }))[output];
  return { model_name: job.name, outputs: [{ name: output, datatype: 'FP32', shape: y.dims, data: Array.from(y.data) }] };
}

async function main() {
  for (const name of ['mlp', 'cnn']) {
    const path = `${process.env.MODELS}/${name}/1/model.onnx`;
    models[name] = await ort.InferenceSession.create(path, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  }
  new Worker('infer', infer, { connection, concurrency: 32 });
}

main();
