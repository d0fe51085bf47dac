"""Writes the models that the tests run, one folder each, next to this file.

Run from anywhere, with python3 and Debian's python3-onnx:

    python3 tests/models/make.py

The result is the same on every run. "N" and "M" are dimensions left open until a request sets them.
"""
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper, numpy_helper

HERE = Path(__file__).resolve().parent
N = ["N"]


def node(operator, inputs, outputs, **attributes):
    """One node; names are given as in node("Add", "A B", "C")."""
    return helper.make_node(operator, inputs.split(" "), outputs.split(" "), **attributes)


def tensors(values):
    return [numpy_helper.from_array(np.asarray(v), k) for k, v in values.items()]


def values(specs):
    return [helper.make_tensor_value_info(name, kind, dims) for name, kind, dims in specs]


def write(name, nodes, inputs, outputs, version=1, settings=None, **constants):
    graph = helper.make_graph(nodes, name, values(inputs), values(outputs), tensors(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    folder = HERE / name / str(version)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    if settings:
        (HERE / name / "model.json").write_text(settings + "\n")


def identities():
    kinds = {
        "ident_bool": T.BOOL, "ident_int8": T.INT8, "ident_int16": T.INT16,
        "ident_int32": T.INT32, "ident_int64": T.INT64, "ident_uint8": T.UINT8,
        "ident_uint16": T.UINT16, "ident_uint32": T.UINT32, "ident_uint64": T.UINT64,
        "ident_fp16": T.FLOAT16, "ident_bf16": T.BFLOAT16, "ident_fp32": T.FLOAT,
        "ident_fp64": T.DOUBLE, "str": T.STRING,
    }
    for name, kind in kinds.items():
        write(name, [node("Identity", "IN", "OUT")], [("IN", kind, N)], [("OUT", kind, N)])


def shapes():
    f = np.float32
    four = ["N", 4]
    write("pair", [node("Add", "A B", "SUM"), node("Sub", "A B", "DIFF")],
          [("A", T.FLOAT, four), ("B", T.FLOAT, four)],
          [("SUM", T.FLOAT, four), ("DIFF", T.FLOAT, four)])
    write("scalar", [node("Mul", "IN two", "OUT")],
          [("IN", T.FLOAT, [])], [("OUT", T.FLOAT, [])], two=f(2))
    write("fixed", [node("Add", "IN one", "OUT")],
          [("IN", T.FLOAT, [2, 3])], [("OUT", T.FLOAT, [2, 3])], one=f(1))
    # ROWS says how many rows ran together, so batching can be seen from outside.
    write("rows",
          [node("ReduceSum", "IN axis", "SUM", keepdims=0),
           node("Shape", "IN", "shape"),
           node("Slice", "shape zero axis", "count"),
           node("Expand", "count count", "ROWS")],
          [("IN", T.FLOAT, four)], [("SUM", T.FLOAT, N), ("ROWS", T.INT64, N)],
          axis=np.array([1]), zero=np.array([0]))
    write("wide", [node("ReduceSum", "IN axis", "SUM", keepdims=0)],
          [("IN", T.FLOAT, ["N", "M"])], [("SUM", T.FLOAT, N)], axis=np.array([1]))
    write("half", [node("Cast", "IN", "OUT", to=T.FLOAT16)],
          [("IN", T.FLOAT, N)], [("OUT", T.FLOAT16, N)])
    for version in 1, 2:
        write("stepper", [node("Add", "IN step", "OUT")],
              [("IN", T.FLOAT, N)], [("OUT", T.FLOAT, N)], version, step=f(version))


def failures():
    floats = [("IN", T.FLOAT, N)], [("OUT", T.FLOAT, N)]
    write("flaky", [node("Add", "IN zero", "OUT")], *floats, zero=np.float32(0))
    # Asks for one element more than there is; the shape is known only at run time.
    write("bad",
          [node("Shape", "IN", "count"), node("Add", "count one", "more"), node("Reshape", "IN more", "OUT")],
          *floats, one=np.array([1]))
    write("pick", [node("Gather", "table IN", "OUT")],
          [("IN", T.INT64, N)], [("OUT", T.FLOAT, N)], table=np.arange(0, 100, 10, dtype=np.float32))
    write("root", [node("Sqrt", "IN", "OUT")], *floats)
    broken = HERE / "cold" / "1" / "model.onnx"
    broken.parent.mkdir(parents=True, exist_ok=True)
    broken.write_bytes(b"\xff\xfe\xfdthis is not a model\x00" * 4)


def sleepers():
    """A Loop of max(IN) turns, each about a millisecond of work, whatever the number of threads.

    A turn is STEPS times state = asinh(3 x state + 1): ONNX Runtime works out asinh on one thread, element
    by element, and it keeps a state from 1 to 3 in there, however many turns there are. Zero
    times the mean of the state is added to IN, so nothing of the work can be left out.
    """
    turn = []
    for step in range(STEPS):
        source = "before" if step == 0 else f"state{step}"
        target = "after" if step == STEPS - 1 else f"state{step + 1}"
        turn += [node("Mul", f"{source} three", f"longer{step}"),
                 node("Add", f"longer{step} one", f"moved{step}"),
                 node("Asinh", f"moved{step}", target)]
    body = helper.make_graph(
        turn + [node("Identity", "go", "on")], "turn",
        values([("turn", T.INT64, []), ("go", T.BOOL, []), ("before", T.FLOAT, [SIZE])]),
        values([("on", T.BOOL, []), ("after", T.FLOAT, [SIZE])]))
    nodes = [
        node("Concat", "IN none", "floor", axis=0),  # an empty or negative IN takes no turn
        node("ReduceMax", "floor", "longest", keepdims=0),
        node("Cast", "longest", "turns", to=T.INT64),
        node("Loop", "turns always start", "end", body=body),
        node("ReduceMean", "end", "mean", keepdims=0),
        node("Mul", "mean zero", "nothing"),
        node("Cast", "nothing", "nothing32", to=T.INT32),
        node("Add", "IN nothing32", "OUT"),
    ]
    for name, batch in ("sleep", 0), ("slow", 8):
        write(name, nodes, [("IN", T.INT32, N)], [("OUT", T.INT32, N)],
              settings=f'{{"max_batch_size":{batch},"instances":1}}',
              none=np.array([0], np.int32), always=np.array(True), zero=np.float32(0),
              one=np.float32(1), three=np.float32(3), start=np.linspace(1, 3, SIZE, dtype=np.float32))


def bombs():
    """expand answers with as many zeros as it is told: a request of 8 bytes, an answer of any size."""
    write("expand", [node("ConstantOfShape", "IN", "OUT")], [("IN", T.INT64, [1])], [("OUT", T.FLOAT, ["M"])],
          settings='{"max_output_bytes":1048576}')


SIZE, STEPS = 2048, 35  # tuned: one turn is about a millisecond

if __name__ == "__main__":
    identities()
    shapes()
    failures()
    sleepers()
    bombs()
