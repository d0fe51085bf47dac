#!/usr/bin/python3
"""Writes the benchmark models: mlp (64 -> 256 -> 10, about 20 us), cnn (3x64x64 -> 10, about a millisecond), and mib (1 MiB -> 1 MiB).

    make_models.py [FOLDER]     (default: models/ beside this file; needs Debian's python3-onnx)

The weights are random, from a fixed seed: only the cost of a run matters.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RANDOM = np.random.default_rng(7)


def weights(name, *shape):
    """A named tensor of random weights, scaled so that activations keep their size."""
    scale = (2 / np.prod(shape[1:] or shape)) ** 0.5
    values = (RANDOM.standard_normal(shape) * scale).astype(np.float32)
    return numpy_helper.from_array(values, name)


def save(folder, name, nodes, input_shape, initializers, output_shape=("N", 10)):
    """Checks a graph from x to y and writes it as version 1 of the model repository."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, input_shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, output_shape)
    graph = helper.make_graph(nodes, name, [x], [y], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    version = folder / name / "1"
    version.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(version / "model.onnx"))


def make_mlp(folder):
    """Two dense layers: so cheap that the platform around it is what is measured."""
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Gemm", ["b", "w2", "b2"], ["c"]),
        helper.make_node("Softmax", ["c"], ["y"], axis=1),
    ]
    initializers = [weights("w1", 64, 256), weights("b1", 256), weights("w2", 256, 10), weights("b2", 10)]
    save(folder, "mlp", nodes, ["N", 64], initializers)


def make_cnn(folder):
    """Six convolutions: a body of 12,288 numbers and a run that costs something."""
    nodes, initializers = [], []
    previous, channels_in = "x", 3
    for i, (channels, stride) in enumerate([(32, 2), (64, 1), (64, 2), (128, 1), (128, 2), (256, 1)]):
        initializers += [weights(f"k{i}", channels, channels_in, 3, 3), weights(f"kb{i}", channels)]
        inputs = [previous, f"k{i}", f"kb{i}"]
        conv = dict(kernel_shape=[3, 3], strides=[stride, stride], pads=[1, 1, 1, 1])
        nodes.append(helper.make_node("Conv", inputs, [f"c{i}"], **conv))
        nodes.append(helper.make_node("Relu", [f"c{i}"], [f"r{i}"]))
        previous, channels_in = f"r{i}", channels
    nodes += [
        helper.make_node("GlobalAveragePool", [previous], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "fw", "fb"], ["y"]),
    ]
    initializers += [weights("fw", 256, 10), weights("fb", 10)]
    save(folder, "cnn", nodes, ["N", 3, 64, 64], initializers)


def make_mib(folder):
    """A mebibyte in and a mebibyte out, and next to nothing between: what carrying it costs is what is measured."""
    save(folder, "mib", [helper.make_node("Relu", ["x"], ["y"])], ["N", 262144], [], ["N", 262144])


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent / "models"
    make_mlp(target)
    make_cnn(target)
    make_mib(target)
