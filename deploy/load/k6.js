// Load in an open loop: requests leave when they are due, whatever became of those before, as a crowd's do. For k6 0.49 or later.
//   BASE_URL=http://127.0.0.1:8080 RATE=100 DURATION=60s k6 run deploy/load/k6.js
// Environment: BASE_URL; KEY (of Millrace, where it asks for one); MODEL and BODY (a file with an inference request; digits); RATE, requests a second; DURATION; P95, ms;
// JOBS=1: submits jobs instead, and reads none.
import http from 'k6/http';
import { check } from 'k6';
import { Rate } from 'k6/metrics';

const base = (__ENV.BASE_URL || 'http://127.0.0.1:8080').replace(/\/+$/, '');
const model = __ENV.MODEL || 'digits';
const jobs = __ENV.JOBS === '1';
const rate = Number(__ENV.RATE || 100);
const inference = open(__ENV.BODY || '../../models/digits/samples/7.json');
const body = jobs ? JSON.stringify({ model, inference: JSON.parse(inference) }) : inference;
const url = jobs ? `${base}/v1/jobs` : `${base}/v2/models/${model}/infer`;
const headers = { 'Content-Type': 'application/json', ...(__ENV.KEY ? { Authorization: `Bearer ${__ENV.KEY}` } : {}) };

// Refusals by load (429, and 503 with Retry-After) are told apart from failures: the first are meant, the second never.
const refused = new Rate('refused');
http.setResponseCallback(http.expectedStatuses(200, 202, 429, 503));

export const options = {
    discardResponseBodies: true,
    scenarios: {
        open: {
            executor: 'constant-arrival-rate',
            rate,
            timeUnit: '1s',
            duration: __ENV.DURATION || '60s',
            preAllocatedVUs: Math.max(50, rate),
            maxVUs: Math.max(200, rate * 10), // enough that a slow server is not spared
        },
    },
    thresholds: {
        http_req_failed: [{ threshold: 'rate<0.02', abortOnFail: true, delayAbortEval: '10s' }],
        'http_req_duration{expected_response:true}': [`p(95)<${Number(__ENV.P95 || 300)}`],
        refused: ['rate<0.02'],
        dropped_iterations: ['count<1'], // k6 itself could not keep the pace: the figures don't count
    },
};

export default function () {
    const answer = http.post(url, body, { headers, timeout: '65s' });
    const by_load = answer.status === 429 || (answer.status === 503 && answer.headers['Retry-After'] !== undefined);
    refused.add(by_load);
    check(answer, { 'served, or refused early': (a) => a.status === 200 || a.status === 202 || by_load });
}
