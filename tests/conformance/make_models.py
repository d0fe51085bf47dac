"""Writes the conformance table: one small model a folder below models/, next to this file.

Run from anywhere, with Debian's python3 and python3-onnx:

    /usr/bin/python3 tests/conformance/make_models.py

The bytes are the same on every run. A capital dimension ("N", "M", ...) is left open until a request sets it; within a model,
the same letter is the same number. A folder unserved_... holds a model that loads in ONNX Runtime but has no place in the protocol.

Left out, because ONNX Runtime 1.31 refuses them on a processor or gives other values on each run:
  Optional and OptionalHasElement as inputs of a graph of tensors: nothing can be sent for them;
  RandomNormal, RandomUniform, Multinomial, Bernoulli, Dropout in training: not the same twice;
  Conv, MatMul and Gemm in BF16: no such kernel on a processor;
"""
import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper, numpy_helper

HERE = Path(__file__).resolve().parent / "models"
ML = "ai.onnx.ml"
MS = "com.microsoft"
NEWEST_CHECKED = 17  # what python3-onnx of Debian 12 knows; ONNX Runtime checks the rest
RANDOM = np.random.RandomState(20250131)


def f32(*shape, scale=1.0):
    """Weights, rounded so that they take few digits."""
    return (np.round(RANDOM.uniform(-1, 1, shape) * 64) / 64 * scale).astype(np.float32)


def i64(*values):
    return np.array(values, np.int64)


def node(operator, inputs, outputs, domain="", **attributes):
    """One node; names are given as in node("Add", "A B", "C"), "_" stands for one that is left out."""
    names = [["" if n == "_" else n for n in side.split(" ") if n] for side in (inputs, outputs)]
    return helper.make_node(operator, *names, domain=domain, **attributes)


def value(name, kind, dims):
    return helper.make_tensor_value_info(name, kind, dims)


def graph(name, nodes, inputs, outputs, constants=None, extra_inputs=()):
    tensors = [v if isinstance(v, T) else numpy_helper.from_array(np.asarray(v), k) for k, v in (constants or {}).items()]
    return helper.make_graph(nodes, name, [value(*i) for i in (*inputs, *extra_inputs)], [value(*o) for o in outputs], tensors)


def write(name, opset, nodes, inputs, outputs, settings=None, constants=None, ml=None, ms=None, ir=None, extra_inputs=(), functions=(), check=True):
    body = graph(name, nodes, inputs, outputs, constants, extra_inputs)
    save(name, opset, body, settings, ml, ms, ir, functions, check)


def save(name, opset, body, settings=None, ml=None, ms=None, ir=None, functions=(), check=True):
    domains = [helper.make_opsetid("", opset)]
    domains += [helper.make_opsetid(ML, ml)] if ml else []
    domains += [helper.make_opsetid(MS, ms)] if ms else []
    domains += [helper.make_opsetid("local", 1)] if functions else []
    ir = ir or (8 if opset < 19 else 9 if opset < 21 else 10)
    model = helper.make_model(body, opset_imports=domains, ir_version=ir, functions=functions, producer_name="millrace")
    if check and opset <= NEWEST_CHECKED and not ms and ir < 9 and (ml or 0) < 4:
        onnx.checker.check_model(model)
    folder = HERE / name / "1"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    if settings:
        (HERE / name / "model.json").write_text(settings + "\n")


NO_BATCHING = '{"max_batch_size":0}'


def datatypes():
    """Every datatype of the protocol, unchanged: one rank and one opset more each time."""
    kinds = [("bool", T.BOOL, 7), ("int8", T.INT8, 8), ("int16", T.INT16, 9), ("int32", T.INT32, 10), ("int64", T.INT64, 11),
             ("uint8", T.UINT8, 12), ("uint16", T.UINT16, 13), ("uint32", T.UINT32, 14), ("uint64", T.UINT64, 15), ("fp16", T.FLOAT16, 16),
             ("bf16", T.BFLOAT16, 17), ("fp32", T.FLOAT, 18), ("fp64", T.DOUBLE, 19), ("bytes", T.STRING, 20)]
    for at, (name, kind, opset) in enumerate(kinds):
        dims = ["N", "M", 2, "K"][:1 + at % 4]
        write(f"type_{name}", opset, [node("Identity", "IN", "OUT")], [("IN", kind, dims)], [("OUT", kind, dims)])
    write("type_all", 13, [node("Identity", f"IN_{n}", f"OUT_{n}") for n, _, _ in kinds],
          [(f"IN_{n}", k, ["N", 1 + at % 3]) for at, (n, k, _) in enumerate(kinds)],
          [(f"OUT_{n}", k, ["N", 1 + at % 3]) for at, (n, k, _) in reversed(list(enumerate(kinds)))])


def casts():
    """From one type to all that it can become, and sums in the small ones."""
    floats = [("h", T.FLOAT16), ("b", T.BFLOAT16), ("d", T.DOUBLE)]
    write("cast_floats", 13, [node("Cast", "IN", o, to=k) for o, k in floats], [("IN", T.FLOAT, ["N", 2])], [(o, k, ["N", 2]) for o, k in floats])
    whole = [("i8", T.INT8), ("i16", T.INT16), ("i32", T.INT32), ("u8", T.UINT8), ("u16", T.UINT16), ("u32", T.UINT32), ("u64", T.UINT64), ("t", T.BOOL)]
    write("cast_integers", 19, [node("Cast", "IN", o, to=k) for o, k in whole], [("IN", T.INT64, ["N"])], [(o, k, ["N"]) for o, k in whole])
    write("cast_to_text", 9, [node("Cast", "IN", "OUT", to=T.STRING)], [("IN", T.INT64, ["N", "M"])], [("OUT", T.STRING, ["N", "M"])])
    write("half_add", 14, [node("Add", "A B", "SUM"), node("Relu", "SUM", "UP")],
          [("A", T.FLOAT16, ["N", 4]), ("B", T.FLOAT16, ["N", 4])], [("SUM", T.FLOAT16, ["N", 4]), ("UP", T.FLOAT16, ["N", 4])])
    write("brain_to_float", 13, [node("Cast", "IN", "OUT", to=T.FLOAT)], [("IN", T.BFLOAT16, ["N", 3])], [("OUT", T.FLOAT, ["N", 3])])
    write("half_in_float_out", 21, [node("Cast", "IN", "wide", to=T.FLOAT), node("Mul", "wide two", "OUT")],
          [("IN", T.FLOAT16, ["N", 2])], [("OUT", T.FLOAT, ["N", 2])], constants={"two": np.float32(2)})


def shapes():
    write("scalar", 7, [node("Mul", "IN two", "OUT")], [("IN", T.DOUBLE, [])], [("OUT", T.DOUBLE, [])], constants={"two": np.float64(2)}, ir=4)
    write("scalar_text", 13, [node("Identity", "IN", "OUT")], [("IN", T.STRING, [])], [("OUT", T.STRING, [])])
    write("fixed_vector", 8, [node("Neg", "IN", "OUT")], [("IN", T.INT32, [5])], [("OUT", T.INT32, [5])])
    write("fixed_matrix", 9, [node("Transpose", "IN", "OUT")], [("IN", T.FLOAT, [2, 3])], [("OUT", T.FLOAT, [3, 2])])
    write("rank3", 13, [node("Transpose", "IN", "OUT", perm=[0, 2, 1])], [("IN", T.FLOAT, ["N", "M", 2])], [("OUT", T.FLOAT, ["N", 2, "M"])])
    write("rank4", 13, [node("DepthToSpace", "IN", "OUT", blocksize=2)], [("IN", T.FLOAT, ["N", 4, "H", "W"])], [("OUT", T.FLOAT, ["N", 1, "P", "Q"])])
    write("rank5", 13, [node("ReduceSum", "IN axis", "OUT", keepdims=0)],
          [("IN", T.DOUBLE, ["N", "A", "B", 2, "C"])], [("OUT", T.DOUBLE, ["N", "A", "B", 2])], constants={"axis": i64(4)})
    write("unnamed_dims", 13, [node("Abs", "IN", "OUT")], [("IN", T.FLOAT, [None, None])], [("OUT", T.FLOAT, [None, None])])
    write("no_width", 13, [node("Concat", "A B", "OUT", axis=1)],
          [("A", T.FLOAT, ["N", 0]), ("B", T.FLOAT, ["N", 2])], [("OUT", T.FLOAT, ["N", 2])])
    write("empty_out", 13, [node("Slice", "IN from from one", "OUT")], [("IN", T.INT64, ["N", 3])], [("OUT", T.INT64, ["N", 0])],
          constants={"from": i64(1), "one": i64(1)})
    write("many_values", 13, [node("Add", "IN one", "OUT")], [("IN", T.FLOAT, ["N", 4096])], [("OUT", T.FLOAT, ["N", 4096])],
          constants={"one": np.float32(1)})


def not_the_batch():
    """Outputs whose first dimension is not the request's rows: who joins requests must notice."""
    write("shape_of", 13, [node("Shape", "IN", "OUT")], [("IN", T.FLOAT, ["N", "M"])], [("OUT", T.INT64, [2])])
    write("mean_of_all", 13, [node("ReduceMean", "IN", "OUT", keepdims=0)], [("IN", T.FLOAT, ["N", 3])], [("OUT", T.FLOAT, [])])
    write("batch_last", 13, [node("Mul", "IN IN", "OUT")], [("IN", T.FLOAT, [3, "N"])], [("OUT", T.FLOAT, [3, "N"])])
    write("nonzero", 13, [node("NonZero", "IN", "OUT")], [("IN", T.INT32, ["N", 3])], [("OUT", T.INT64, [2, "K"])])
    write("unique", 11, [node("Unique", "IN", "OUT _ _ COUNT", sorted=1)], [("IN", T.INT64, ["N"])], [("OUT", T.INT64, ["U"]), ("COUNT", T.INT64, ["U"])])
    write("compress", 11, [node("Compress", "IN KEEP", "OUT", axis=0)],
          [("IN", T.FLOAT, ["N", 2]), ("KEEP", T.BOOL, ["N"])], [("OUT", T.FLOAT, ["K", 2])])
    write("outer", 13, [node("Unsqueeze", "A one", "column"), node("Mul", "column B", "OUT")],
          [("A", T.FLOAT, ["N"]), ("B", T.FLOAT, ["M"])], [("OUT", T.FLOAT, ["N", "M"])], constants={"one": i64(1)})
    write("similarity", 13, [node("Transpose", "IN", "across"), node("MatMul", "IN across", "OUT")],
          [("IN", T.FLOAT, ["N", 3])], [("OUT", T.FLOAT, ["N", "N"])])
    write("running_sum", 14, [node("CumSum", "IN axis", "OUT")], [("IN", T.DOUBLE, ["N", 2])], [("OUT", T.DOUBLE, ["N", 2])],
          NO_BATCHING, {"axis": np.int64(0)})
    write("range", 11, [node("Range", "FROM TO STEP", "OUT")],
          [("FROM", T.INT64, []), ("TO", T.INT64, []), ("STEP", T.INT64, [])], [("OUT", T.INT64, ["K"])])
    write("rows_and_total", 13, [node("ReduceSum", "IN across", "ROWS", keepdims=0), node("ReduceSum", "IN", "TOTAL", keepdims=0)],
          [("IN", T.DOUBLE, ["N", 3])], [("ROWS", T.DOUBLE, ["N"]), ("TOTAL", T.DOUBLE, [])], constants={"across": i64(1)})


def ins_and_outs():
    write("mixed_types", 13,
          [node("Where", "CHOOSE NUMBER zero", "CHOSEN"), node("Cast", "COUNT", "wide", to=T.FLOAT), node("Mul", "wide NUMBER", "PRODUCT"),
           node("Identity", "TEXT", "SAME"), node("Not", "CHOOSE", "OTHERWISE")],
          [("CHOOSE", T.BOOL, ["N"]), ("COUNT", T.INT16, ["N"]), ("NUMBER", T.FLOAT, ["N"]), ("TEXT", T.STRING, ["N", 2])],
          [("SAME", T.STRING, ["N", 2]), ("CHOSEN", T.FLOAT, ["N"]), ("OTHERWISE", T.BOOL, ["N"]), ("PRODUCT", T.FLOAT, ["N"])],
          constants={"zero": np.float32(0)})
    write("split3", 18, [node("Split", "IN", "A B C", axis=1, num_outputs=3)], [("IN", T.INT32, ["N", 7])],
          [("A", T.INT32, ["N", 3]), ("B", T.INT32, ["N", 3]), ("C", T.INT32, ["N", 1])])
    write("unused_input", 13, [node("Identity", "IN", "OUT")], [("IN", T.FLOAT, ["N"]), ("UNUSED", T.UINT8, ["N", 2])], [("OUT", T.FLOAT, ["N"])])
    write("constant_out", 13, [node("Constant", "", "FIXED", value=numpy_helper.from_array(f32(2, 2))), node("Identity", "IN", "OUT")],
          [("IN", T.FLOAT, ["N"])], [("FIXED", T.FLOAT, [2, 2]), ("OUT", T.FLOAT, ["N"])])
    write("no_input", 13, [node("Constant", "", "OUT", value=numpy_helper.from_array(i64(1, 2, 3)))], [], [("OUT", T.INT64, [3])])
    write("default_input", 13, [node("Mul", "IN FACTOR", "OUT")], [("IN", T.FLOAT, ["N", 2])], [("OUT", T.FLOAT, ["N", 2])],
          constants={"FACTOR": np.array([3, 5], np.float32)}, extra_inputs=[("FACTOR", T.FLOAT, [2])])
    write("old_file", 7, [node("Add", "IN BIAS", "OUT")], [("IN", T.FLOAT, ["N", 2])], [("OUT", T.FLOAT, ["N", 2])],
          constants={"BIAS": np.array([1, 2], np.float32)}, extra_inputs=[("BIAS", T.FLOAT, [2])], ir=3)
    write("left_out_input", 12, [node("Clip", "IN _ most", "OUT")], [("IN", T.FLOAT, ["N", 3])], [("OUT", T.FLOAT, ["N", 3])],
          constants={"most": np.float32(0.5)})
    names = "x:0", 'a "quoted" name', "größe/ß 😀"
    add = helper.make_node("Sum", list(names), ["out put\\:0"])
    write("odd_names", 13, [add], [(n, T.FLOAT, ["N"]) for n in names], [("out put\\:0", T.FLOAT, ["N"])])


def dense():
    write("gemm", 7, [node("Gemm", "IN w b", "OUT")], [("IN", T.FLOAT, ["N", 8])], [("OUT", T.FLOAT, ["N", 4])],
          constants={"w": f32(8, 4), "b": f32(4)}, ir=4)
    write("mlp", 13, [node("MatMul", "IN w1", "a"), node("Add", "a b1", "b"), node("Tanh", "b", "c"), node("MatMul", "c w2", "d"), node("Softmax", "d", "OUT", axis=-1)],
          [("IN", T.FLOAT, ["N", 6])], [("OUT", T.FLOAT, ["N", 3])], constants={"w1": f32(6, 16), "b1": f32(16), "w2": f32(16, 3)})
    write("batched_matmul", 9, [node("MatMul", "A B", "OUT")], [("A", T.FLOAT, ["N", 2, "K"]), ("B", T.FLOAT, ["N", "K", 3])], [("OUT", T.FLOAT, ["N", 2, 3])])
    write("einsum", 12, [node("Einsum", "A B", "OUT", equation="nij,nkj->nik")],
          [("A", T.DOUBLE, ["N", "I", "J"]), ("B", T.DOUBLE, ["N", "K", "J"])], [("OUT", T.DOUBLE, ["N", "I", "K"])])
    write("softmax_old", 11, [node("Softmax", "IN", "OUT", axis=1), node("LogSoftmax", "IN", "LOG", axis=1)],
          [("IN", T.FLOAT, ["N", 2, 3])], [("OUT", T.FLOAT, ["N", 2, 3]), ("LOG", T.FLOAT, ["N", 2, 3])])
    write("layer_norm", 17, [node("LayerNormalization", "IN s b", "OUT", axis=-1, epsilon=1e-5)],
          [("IN", T.FLOAT, ["N", "T", 6])], [("OUT", T.FLOAT, ["N", "T", 6])], constants={"s": f32(6), "b": f32(6)})
    write("gelu", 20, [node("Gelu", "IN", "OUT")], [("IN", T.FLOAT, ["N", 5])], [("OUT", T.FLOAT, ["N", 5])])
    write("mish", 22, [node("Mish", "IN", "OUT")], [("IN", T.FLOAT, ["N", 5])], [("OUT", T.FLOAT, ["N", 5])])
    write("attention", 21,
          [node("Transpose", "K", "t", perm=[0, 2, 1]), node("MatMul", "Q t", "s"), node("Div", "s root", "d"), node("Softmax", "d", "p", axis=-1), node("MatMul", "p V", "OUT")],
          [(n, T.FLOAT, ["N", "T", 4]) for n in "QKV"], [("OUT", T.FLOAT, ["N", "T", 4])], constants={"root": np.float32(2)})
    write("fused_gelu", 13, [node("BiasGelu", "IN b", "OUT", domain=MS)], [("IN", T.FLOAT, ["N", 4])], [("OUT", T.FLOAT, ["N", 4])], constants={"b": f32(4)}, ms=1)
    body = helper.make_function("local", "TwiceAndOne", ["x"], ["y"], [node("Add", "x x", "t"), node("Constant", "", "one", value_float=1.0), node("Add", "t one", "y")],
                                [helper.make_opsetid("", 16)])
    write("own_function", 16, [node("TwiceAndOne", "IN", "OUT", domain="local")], [("IN", T.FLOAT, ["N"])], [("OUT", T.FLOAT, ["N"])], functions=[body])


def images():
    write("conv", 11, [node("Conv", "IN w b", "c", kernel_shape=[3, 3], pads=[1, 1, 1, 1]), node("Relu", "c", "r"), node("GlobalAveragePool", "r", "p"), node("Flatten", "p", "OUT")],
          [("IN", T.FLOAT, ["N", 1, "H", "W"])], [("OUT", T.FLOAT, ["N", 4])], constants={"w": f32(4, 1, 3, 3), "b": f32(4)})
    write("conv_norm", 9, [node("Conv", "IN w", "c", kernel_shape=[3, 3], strides=[2, 2]), node("BatchNormalization", "c s b m v", "OUT")],
          [("IN", T.FLOAT, ["N", 2, 8, 8])], [("OUT", T.FLOAT, ["N", 3, 3, 3])],
          constants={"w": f32(3, 2, 3, 3), "s": f32(3), "b": f32(3), "m": f32(3), "v": np.abs(f32(3)) + np.float32(0.5)})
    write("max_pool", 8, [node("MaxPool", "IN", "OUT INDEX", kernel_shape=[2, 2], strides=[2, 2])],
          [("IN", T.FLOAT, [1, 2, 4, 6])], [("OUT", T.FLOAT, [1, 2, 2, 3]), ("INDEX", T.INT64, [1, 2, 2, 3])])
    write("average_pool", 19, [node("AveragePool", "IN", "OUT", kernel_shape=[3, 3], pads=[1, 1, 1, 1], dilations=[1, 1])],
          [("IN", T.FLOAT, ["N", 1, 5, 5])], [("OUT", T.FLOAT, ["N", 1, 5, 5])])
    write("resize", 18, [node("Resize", "IN _ scales", "OUT", mode="linear")],
          [("IN", T.FLOAT, ["N", 2, 3, 3])], [("OUT", T.FLOAT, ["N", 2, 6, 6])], constants={"scales": np.array([1, 1, 2, 2], np.float32)})
    write("pad", 13, [node("Pad", "IN pads", "OUT", mode="edge")], [("IN", T.UINT8, ["N", 3, 3])], [("OUT", T.UINT8, ["N", 5, 3])], constants={"pads": i64(0, 1, 0, 0, 1, 0)})
    write("grid_sample", 16, [node("GridSample", "IN GRID", "OUT", mode="bilinear")],
          [("IN", T.FLOAT, ["N", 1, 4, 4]), ("GRID", T.FLOAT, ["N", 2, 2, 2])], [("OUT", T.FLOAT, ["N", 1, 2, 2])])
    write("nms", 10, [node("NonMaxSuppression", "BOXES SCORES most overlap", "OUT")],
          [("BOXES", T.FLOAT, [1, "M", 4]), ("SCORES", T.FLOAT, [1, 2, "M"])], [("OUT", T.INT64, ["K", 3])],
          constants={"most": i64(3), "overlap": np.array([0.5], np.float32)})


def sequences():
    gates = {"lstm": 4, "gru": 3, "rnn": 1}
    for name, opset in ("lstm", 14), ("gru", 7), ("rnn", 22):
        n = gates[name]
        weights = {"w": f32(1, n * 3, 2), "r": f32(1, n * 3, 3)}
        if name == "lstm":  # rows first, by transposing; only the last state leaves, the two others are left out
            nodes = [node("Transpose", "IN", "t", perm=[1, 0, 2]), node("LSTM", "t w r", "_ h", hidden_size=3), node("Squeeze", "h zero", "OUT")]
            write(name, opset, nodes, [("IN", T.FLOAT, ["N", "T", 2])], [("OUT", T.FLOAT, ["N", 3])], constants={**weights, "zero": i64(0)})
        else:  # steps first, as the operator has it: requests must never be joined along the steps
            write(name, opset, [node(name.upper(), "IN w r", "ALL LAST", hidden_size=3)], [("IN", T.FLOAT, ["T", "N", 2])],
                  [("ALL", T.FLOAT, ["T", 1, "N", 3]), ("LAST", T.FLOAT, [1, "N", 3])], constants=weights, ir=4 if opset < 8 else None)
    fft = [node("DFT", "IN", "OUT", axis=1)]
    write("dft", 17, fft, [("IN", T.FLOAT, ["N", 8, 1])], [("OUT", T.FLOAT, ["N", 8, 2])])


def control():
    then = graph("then", [node("Neg", "IN", "negative")], [], [("negative", T.FLOAT, None)])
    other = graph("else", [node("Identity", "IN", "same")], [], [("same", T.FLOAT, None)])
    write("branch", 16, [node("If", "FLIP", "OUT", then_branch=then, else_branch=other)],
          [("FLIP", T.BOOL, []), ("IN", T.FLOAT, ["N", 2])], [("OUT", T.FLOAT, ["N", 2])])
    turn = graph("turn", [node("Add", "before before", "after"), node("Identity", "go", "on"), node("Identity", "after", "each")],
                 [("at", T.INT64, []), ("go", T.BOOL, []), ("before", T.INT32, None)], [("on", T.BOOL, []), ("after", T.INT32, None), ("each", T.INT32, None)])
    write("loop", 13, [node("Loop", "TURNS yes IN", "LAST EACH", body=turn)], [("TURNS", T.INT64, []), ("IN", T.INT32, ["N"])],
          [("LAST", T.INT32, ["N"]), ("EACH", T.INT32, ["K", "N"])], constants={"yes": np.array(True)})
    step = graph("step", [node("Add", "sum x", "next"), node("Identity", "next", "out")],
                 [("sum", T.FLOAT, [2]), ("x", T.FLOAT, [2])], [("next", T.FLOAT, [2]), ("out", T.FLOAT, [2])])
    write("scan", 9, [node("Scan", "start IN", "LAST ALL", body=step, num_scan_inputs=1)], [("IN", T.FLOAT, ["N", 2])],
          [("LAST", T.FLOAT, [2]), ("ALL", T.FLOAT, ["N", 2])], constants={"start": np.zeros(2, np.float32)})


def picking():
    write("top2", 11, [node("TopK", "IN two", "VALUE INDEX", axis=1)], [("IN", T.FLOAT, ["N", 5])],
          [("VALUE", T.FLOAT, ["N", 2]), ("INDEX", T.INT64, ["N", 2])], constants={"two": i64(2)})
    write("argmax", 12, [node("ArgMax", "IN", "OUT", axis=1, keepdims=0)], [("IN", T.INT32, ["N", "M"])], [("OUT", T.INT64, ["N"])])
    write("gather", 13, [node("Gather", "table IN", "OUT")], [("IN", T.INT64, ["N", "M"])], [("OUT", T.FLOAT, ["N", "M", 2])], constants={"table": f32(10, 2)})
    write("gather_nd", 12, [node("GatherND", "IN AT", "OUT", batch_dims=1)], [("IN", T.INT32, ["N", 4]), ("AT", T.INT64, ["N", 1])], [("OUT", T.INT32, ["N"])])
    write("scatter_nd", 18, [node("ScatterND", "IN AT TO", "OUT", reduction="max")],
          [("IN", T.FLOAT, [6]), ("AT", T.INT64, ["K", 1]), ("TO", T.FLOAT, ["K"])], [("OUT", T.FLOAT, [6])])
    write("one_hot", 11, [node("OneHot", "IN depth values", "OUT")], [("IN", T.INT64, ["N"])], [("OUT", T.FLOAT, ["N", 5])],
          constants={"depth": np.int64(5), "values": np.array([0, 1], np.float32)})
    write("tile", 13, [node("Tile", "IN TIMES", "OUT")], [("IN", T.INT16, ["N", 2]), ("TIMES", T.INT64, [2])], [("OUT", T.INT16, ["K", "M"])], check=True)
    write("bits", 18, [node("BitwiseAnd", "A B", "AND"), node("BitwiseXor", "A B", "XOR"), node("BitwiseNot", "A", "NOT")],
          [("A", T.UINT64, ["N", 2]), ("B", T.UINT64, ["N", 2])], [(o, T.UINT64, ["N", 2]) for o in ("AND", "XOR", "NOT")])
    write("divide", 14, [node("Div", "A B", "OUT"), node("Mod", "A B", "REST")], [("A", T.INT64, ["N"]), ("B", T.INT64, ["N"])],
          [("OUT", T.INT64, ["N"]), ("REST", T.INT64, ["N"])])
    write("compare", 13, [node("Less", "A B", "LESS"), node("Equal", "A B", "EQUAL"), node("Max", "A B", "MAX")],
          [("A", T.DOUBLE, ["N"]), ("B", T.DOUBLE, ["N"])], [("LESS", T.BOOL, ["N"]), ("EQUAL", T.BOOL, ["N"]), ("MAX", T.DOUBLE, ["N"])])
    write("is_nan", 20, [node("IsNaN", "IN", "NAN"), node("IsInf", "IN", "INF")], [("IN", T.FLOAT, ["N", 2])], [("NAN", T.BOOL, ["N", 2]), ("INF", T.BOOL, ["N", 2])])


def quantized():
    q = {"s": np.float32(0.05), "z": np.uint8(128)}
    write("quantize", 10, [node("QuantizeLinear", "IN s z", "q"), node("DequantizeLinear", "q s z", "OUT"), node("Identity", "q", "SMALL")],
          [("IN", T.FLOAT, ["N", 3])], [("OUT", T.FLOAT, ["N", 3]), ("SMALL", T.UINT8, ["N", 3])], constants=q)
    write("int8_matmul", 10, [node("MatMulInteger", "IN w z", "OUT")], [("IN", T.UINT8, ["N", 4])], [("OUT", T.INT32, ["N", 2])],
          constants={"w": RANDOM.randint(-9, 9, (4, 2)).astype(np.int8), "z": np.uint8(7)})
    write("per_axis", 13, [node("QuantizeLinear", "IN s z", "OUT", axis=1)], [("IN", T.FLOAT, ["N", 2, "M"])], [("OUT", T.INT8, ["N", 2, "M"])],
          constants={"s": np.array([0.1, 0.02], np.float32), "z": np.zeros(2, np.int8)})
    write("quantize_wide", 21, [node("QuantizeLinear", "IN s z", "OUT")], [("IN", T.FLOAT, ["N", 2])], [("OUT", T.INT16, ["N", 2])],
          constants={"s": np.float32(0.001), "z": np.int16(0)})


def words():
    write("normalize_text", 10, [node("StringNormalizer", "IN", "OUT", case_change_action="UPPER", is_case_sensitive=0, stopwords=["the", "a"], locale="C")],
          [("IN", T.STRING, ["K"])], [("OUT", T.STRING, ["U"])])
    write("tf_idf", 9, [node("TfIdfVectorizer", "IN", "OUT", mode="TF", min_gram_length=1, max_gram_length=2, max_skip_count=0, ngram_counts=[0, 2],
                             ngram_indexes=[0, 1, 2], pool_strings=["cat", "dog", "cat", "dog"])],
          [("IN", T.STRING, ["N", "M"])], [("OUT", T.FLOAT, ["N", 3])])
    write("concat_text", 20, [node("StringConcat", "A B", "OUT")], [("A", T.STRING, ["N"]), ("B", T.STRING, ["N"])], [("OUT", T.STRING, ["N"])])
    write("match_text", 20, [node("RegexFullMatch", "IN", "OUT", pattern="[a-z]+[0-9]*")], [("IN", T.STRING, ["N"])], [("OUT", T.BOOL, ["N"])])
    write("text_in_rows", 21, [node("Gather", "IN last", "LAST", axis=1), node("Concat", "IN IN", "BOTH", axis=1)],
          [("IN", T.STRING, ["N", 2])], [("LAST", T.STRING, ["N"]), ("BOTH", T.STRING, ["N", 4])], constants={"last": np.int64(1)})


def classic():
    """What scikit-learn's converter writes: the ai.onnx.ml domain."""
    tree = dict(nodes_treeids=[0, 0, 0], nodes_nodeids=[0, 1, 2], nodes_featureids=[1, 0, 0], nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
                nodes_values=[0.5, 0.0, 0.0], nodes_truenodeids=[1, 0, 0], nodes_falsenodeids=[2, 0, 0])
    votes = dict(class_treeids=[0, 0], class_nodeids=[1, 2], class_ids=[0, 1], class_weights=[0.75, 0.25], post_transform="NONE")
    write("tree_classes", 13, [node("TreeEnsembleClassifier", "IN", "LABEL SCORE", domain=ML, classlabels_int64s=[10, 20], **votes, **tree)],
          [("IN", T.FLOAT, ["N", 2])], [("LABEL", T.INT64, ["N"]), ("SCORE", T.FLOAT, ["N", 2])], ml=1)
    write("tree_names", 15, [node("TreeEnsembleClassifier", "IN", "LABEL SCORE", domain=ML, classlabels_strings=["oak", "ærø"], **votes, **tree)],
          [("IN", T.FLOAT, ["N", 2])], [("LABEL", T.STRING, ["N"]), ("SCORE", T.FLOAT, ["N", 2])], ml=3)
    write("tree_value", 13, [node("TreeEnsembleRegressor", "IN", "OUT", domain=ML, n_targets=1, target_treeids=[0, 0], target_nodeids=[1, 2], target_ids=[0, 0],
                                  target_weights=[1.5, -2.5], **tree)], [("IN", T.FLOAT, ["N", 2])], [("OUT", T.FLOAT, ["N", 1])], ml=1)
    write("linear_classes", 9, [node("LinearClassifier", "IN", "LABEL SCORE", domain=ML, coefficients=[1.0, -1.0, 0.5, 0.25, -0.5, 1.0], intercepts=[0.1, 0.2, 0.3],
                                     classlabels_strings=["a", "b", "c"], post_transform="SOFTMAX")],
          [("IN", T.FLOAT, ["N", 2])], [("LABEL", T.STRING, ["N"]), ("SCORE", T.FLOAT, ["N", 3])], ml=1)
    write("labels_to_numbers", 13, [node("LabelEncoder", "IN", "OUT", domain=ML, keys_strings=["cat", "dog", "😀"], values_int64s=[1, 2, 3], default_int64=-1)],
          [("IN", T.STRING, ["N"])], [("OUT", T.INT64, ["N"])], ml=2)
    write("numbers_to_labels", 18, [node("LabelEncoder", "IN", "OUT", domain=ML, keys_int64s=[1, 2, 3], values_strings=["cat", "dog", "😀"], default_string="?")],
          [("IN", T.INT64, ["N"])], [("OUT", T.STRING, ["N"])], ml=3)
    write("scaler", 12, [node("Scaler", "IN", "OUT", domain=ML, offset=[1.0, 2.0, 3.0], scale=[0.5, 0.25, 2.0])], [("IN", T.DOUBLE, ["N", 3])], [("OUT", T.FLOAT, ["N", 3])], ml=1)
    write("one_hot_names", 10, [node("OneHotEncoder", "IN", "OUT", domain=ML, cats_strings=["x", "y"], zeros=1)], [("IN", T.STRING, ["N"])], [("OUT", T.FLOAT, ["N", 2])], ml=1)
    write("svm", 7, [node("SVMRegressor", "IN", "OUT", domain=ML, coefficients=[1.0, -1.0], kernel_type="RBF", kernel_params=[0.5, 0.0, 3.0], n_supports=2,
                          support_vectors=[0.0, 0.5, 1.0, -0.5], rho=[0.25])], [("IN", T.FLOAT, ["N", 2])], [("OUT", T.FLOAT, ["N", 1])], ml=1, ir=4)


def unserved():
    """They run in ONNX Runtime, but the protocol has no words for what goes in or comes out."""
    sequence = helper.make_graph([node("SequenceConstruct", "IN IN", "OUT")], "unserved_sequence", [value("IN", T.FLOAT, ["N"])],
                                 [helper.make_tensor_sequence_value_info("OUT", T.FLOAT, ["N"])])
    save("unserved_sequence", 13, sequence)
    entries = onnx.TypeProto()
    entries.map_type.key_type = T.INT64
    entries.map_type.value_type.CopyFrom(helper.make_tensor_type_proto(T.FLOAT, []))
    maps = helper.make_value_info("OUT", helper.make_sequence_type_proto(entries))
    zipped = helper.make_graph([node("ZipMap", "IN", "OUT", domain=ML, classlabels_int64s=[1, 2])], "unserved_map", [value("IN", T.FLOAT, ["N", 2])], [maps])
    save("unserved_map", 13, zipped, ml=1)
    perhaps = helper.make_value_info("IN", helper.make_optional_type_proto(helper.make_tensor_type_proto(T.FLOAT, ["N"])))
    optional = helper.make_graph([node("OptionalHasElement", "IN", "OUT")], "unserved_optional", [perhaps], [value("OUT", T.BOOL, [])])
    save("unserved_optional", 15, optional)
    float8 = 17
    write("unserved_float8", 19, [node("Cast", "IN", "OUT", to=float8)], [("IN", T.FLOAT, ["N"])], [("OUT", float8, ["N"])], check=False)


if __name__ == "__main__":
    shutil.rmtree(HERE, ignore_errors=True)
    for part in datatypes, casts, shapes, not_the_batch, ins_and_outs, dense, images, sequences, control, picking, quantized, words, classic, unserved:
        part()
