"""Trains the diabetes model and writes everything else in this folder.

Run from anywhere, with python3 and Debian's python3-sklearn and python3-onnx:

    python3 models/diabetes/train.py

The result is the same on every run: the split is seeded and the fit is exact.
"""
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one thread adds up in one order

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import KFold, cross_val_predict, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

HERE = Path(__file__).resolve().parent
SINGLE = ["age", "sex", "bmi", "blood_pressure"]  # then the six serum measurements


def build(scaler, linear):
    """Casts, joins the five inputs to [N,10], normalises, and applies the linear model."""
    constants = {
        "mean": scaler.mean_.astype(np.float32),
        "deviation": scaler.scale_.astype(np.float32),
        "weights": linear.coef_.astype(np.float32).reshape(10, 1),
        "offset": np.array([linear.intercept_], np.float32),
        "one": np.array([1], np.int64),
    }
    nodes = [helper.make_node("Cast", [n], [n + "_float"], to=TensorProto.FLOAT) for n in SINGLE[:2]]
    columns = ["age_float", "sex_float", "bmi", "blood_pressure"]
    nodes += [helper.make_node("Unsqueeze", [c, "one"], [c + "_column"]) for c in columns]
    nodes += [
        helper.make_node("Concat", [c + "_column" for c in columns] + ["serum"], ["patient"], axis=1),
        helper.make_node("Sub", ["patient", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "deviation"], ["normal"]),
        helper.make_node("Gemm", ["normal", "weights", "offset"], ["column"]),
        helper.make_node("Squeeze", ["column", "one"], ["progression"]),
    ]
    kinds = [TensorProto.INT64, TensorProto.INT64, TensorProto.FLOAT, TensorProto.FLOAT]
    graph = helper.make_graph(
        nodes,
        "diabetes",
        [helper.make_tensor_value_info(n, k, ["N"]) for n, k in zip(SINGLE, kinds)]
        + [helper.make_tensor_value_info("serum", TensorProto.FLOAT, ["N", 6])],
        [helper.make_tensor_value_info("progression", TensorProto.FLOAT, ["N"])],
        [numpy_helper.from_array(v, k) for k, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def run(path, patients):
    """Executes the written file node by node in numpy, in single precision."""
    graph = onnx.load(path).graph
    values = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    for column, name in enumerate(SINGLE):
        values[name] = patients[:, column].astype(np.int64 if column < 2 else np.float32)
    values["serum"] = patients[:, 4:].astype(np.float32)
    operators = {
        "Cast": lambda x: x.astype(np.float32),
        "Unsqueeze": lambda x, axes: np.expand_dims(x, axes[0]),
        "Concat": lambda *xs: np.concatenate(xs, axis=1),
        "Sub": lambda x, y: x - y,
        "Div": lambda x, y: x / y,
        "Gemm": lambda x, w, b: x @ w + b,
        "Squeeze": lambda x, axes: x.squeeze(axes[0]),
    }
    for node in graph.node:
        values[node.output[0]] = operators[node.op_type](*(values[i] for i in node.input))
    return values["progression"]


def request(patients):
    def number(value):
        return int(value) if value == int(value) else round(float(value), 4)

    def tensor(name, datatype, shape, data):
        return {"name": name, "shape": shape, "datatype": datatype, "data": [number(v) for v in data]}

    count = len(patients)
    kinds = ["INT64", "INT64", "FP32", "FP32"]
    inputs = [tensor(n, k, [count], patients[:, i]) for i, (n, k) in enumerate(zip(SINGLE, kinds))]
    return {"inputs": inputs + [tensor("serum", "FP32", [count, 6], patients[:, 4:].ravel())]}


def main():
    data = load_diabetes(scaled=False)
    train, held = train_test_split(np.arange(len(data.target)), test_size=0.2, random_state=0)
    pipeline = make_pipeline(StandardScaler(), Ridge(alpha=1.0))
    folds = cross_val_predict(
        pipeline, data.data, data.target, cv=KFold(10, shuffle=True, random_state=0))
    pipeline.fit(data.data[train], data.target[train])

    path = HERE / "1" / "model.onnx"
    path.parent.mkdir(exist_ok=True)
    onnx.save(build(*(step for _, step in pipeline.steps)), path)

    predicted, truth = run(path, data.data[held]), data.target[held]
    mean = np.full_like(truth, data.target[train].mean())

    samples = HERE / "samples"
    samples.mkdir(exist_ok=True)
    for name, count in ("patient", 1), ("three-patients", 3):
        text = json.dumps(request(data.data[held[:count]]), separators=(",", ":"))
        (samples / f"{name}.json").write_text(text + "\n")

    facts = dict(
        train=len(train), held=len(held), size=path.stat().st_size,
        r2=r2_score(truth, predicted), error=mean_absolute_error(truth, predicted),
        mean_error=mean_absolute_error(truth, mean),
        fold_r2=r2_score(data.target, folds), fold_error=mean_absolute_error(data.target, folds),
        samples="\n".join(f"| {i + 1} | {truth[i]:.0f} | {predicted[i]:.2f} |" for i in range(3)))
    (HERE / "README.md").write_text(README.format(**facts))
    print(f"held back: R^2 {facts['r2']:.3f}, mean absolute error {facts['error']:.1f}")


README = """\
# diabetes

Estimates how far diabetes has progressed a year after ten measurements were taken: a ridge regression
({size:,} bytes). It is here as a model with several inputs of several kinds, not as medical advice.

| | name | datatype | shape | |
|---|---|---|---|---|
| input | `age` | INT64 | [-1] | years |
| input | `sex` | INT64 | [-1] | 1 or 2, as the data has it |
| input | `bmi` | FP32 | [-1] | body mass index |
| input | `blood_pressure` | FP32 | [-1] | average |
| input | `serum` | FP32 | [-1, 6] | total cholesterol, LDL, HDL, total/HDL, "possibly log of serum triglycerides level", blood sugar |
| output | `progression` | FP32 | [-1] | the data's measure of progression, 25 to 346 |

## Try it

From this folder, with the server running:

```sh
curl -s http://127.0.0.1:8080/v2/models/diabetes/infer \\
  -H 'Content-Type: application/json' -d @samples/patient.json
```

`samples/three-patients.json` holds three patients, `samples/patient.json` the first of them. All three
were held back from training:

| patient | truth | this model |
|---|---|---|
{samples}

## Accuracy

| | R^2 | mean absolute error |
|---|---|---|
| {held} patients held back, this model ({train} were trained on) | {r2:.3f} | {error:.1f} |
| the same patients, always answering the training mean | about 0 | {mean_error:.1f} |
| ten-fold cross-validation of the same recipe over all 442 | {fold_r2:.3f} | {fold_error:.1f} |

The estimate is weak: these ten measurements explain a third to a half of the outcome. The split is the
first seed tried; with so few patients the figures depend on it, which is why the cross-validation is
given too. The held-back figures come from executing the written file node by node in numpy.

## Data

`sklearn.datasets.load_diabetes(scaled=False)`: 442 real patients, from Bradley Efron, Trevor Hastie, Iain
Johnstone and Robert Tibshirani (2004), "Least Angle Regression", Annals of Statistics, 407-499; source
<https://www4.stat.ncsu.edu/~boos/var.select/diabetes.html>. scikit-learn states no licence for the data
set of its own; scikit-learn, which ships it, is under the BSD 3-Clause licence.

## Retrain

```sh
python3 models/diabetes/train.py
```

It needs python3 with Debian's python3-sklearn and python3-onnx, takes seconds, and rewrites everything in
this folder but itself.
"""

if __name__ == "__main__":
    main()
