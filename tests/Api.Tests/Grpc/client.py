"""A client of another make: gRPC's C core, with messages that protoc made from the same files.

client.py FOLDER ADDRESS: FOLDER holds what protoc made. Prints a line for each call.
"""
import struct
import sys

sys.path.insert(0, sys.argv[1])
import grpc
import grpc_service_pb2 as pb
import grpc_service_pb2_grpc as service


def infer(stub, model, datatype, shape, raw=None, timeout=30, **contents):
    request = pb.ModelInferRequest(model_name=model, id="42")
    tensor = request.inputs.add(name="IN", datatype=datatype, shape=shape)
    if raw is None:
        for name, values in contents.items():
            getattr(tensor.contents, name).extend(values)
    else:
        request.raw_input_contents.append(raw)
    request.parameters["timeout"].int64_param = 20_000_000
    request.parameters["priority"].uint64_param = 1
    return stub.ModelInfer(request, timeout=timeout)


def failed(call):
    try:
        call()
    except grpc.RpcError as error:
        code = dict(error.trailing_metadata()).get("millrace-code")
        return f"{error.code()} {code} {error.details()}"
    return "no failure"


options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
with grpc.insecure_channel(sys.argv[2], options=options) as channel:
    stub = service.GRPCInferenceServiceStub(channel)
    print("live", stub.ServerLive(pb.ServerLiveRequest()).live)
    metadata = stub.ModelMetadata(pb.ModelMetadataRequest(name="pair"))
    print("inputs", *(f"{i.name}:{i.datatype}:{list(i.shape)}" for i in metadata.inputs))
    answer = infer(stub, "ident_fp32", "FP32", [2], raw=struct.pack("<2f", 1.5, -2))
    print("raw", answer.id, *struct.unpack("<2f", answer.raw_output_contents[0]))
    answer = infer(stub, "str", "BYTES", [2], bytes_contents=[b"", b"\x00\xff"])
    print("typed", *answer.outputs[0].contents.bytes_contents)
    large = bytes(8 << 20)
    print("large", infer(stub, "ident_uint8", "UINT8", [len(large)], raw=large).raw_output_contents[0] == large)
    print("unknown", failed(lambda: infer(stub, "nope", "FP32", [1], raw=bytes(4))))
    print("wrong", failed(lambda: infer(stub, "ident_fp32", "FP32", [2], raw=bytes(4))))
    print("cold", failed(lambda: stub.ModelMetadata(pb.ModelMetadataRequest(name="cold"))))
    print("late", failed(lambda: infer(stub, "sleep", "INT32", [1], timeout=0.3, int_contents=[50_000])).split()[0])
    stream = stub.ModelStreamInfer(iter([pb.ModelInferRequest(model_name="nope", id="a"), pb.ModelInferRequest(model_name="nope", id="b")]))
    print("stream", *(answer.infer_response.id for answer in stream))
