using System.Buffers.Binary;
using System.Text;

namespace Millrace.Conformance.Tests.Table;

/// <summary>What ONNX Runtime does not tell of a file: its opset.</summary>
/// <remarks>Source: onnx.proto, <c>ModelProto.opset_import = 8</c>, <c>OperatorSetIdProto { domain = 1; version = 2; }</c>.</remarks>
internal static class OnnxFile
{
    /// <summary>The version of ONNX's own operators.</summary>
    public static long Opset(string file)
    {
        foreach (var (field, bytes, _) in Fields(File.ReadAllBytes(file)))
        {
            if (field != 8)
                continue;
            var parts = Fields(bytes).ToArray();
            if (!parts.Any(p => p.Field == 1 && Encoding.UTF8.GetString(p.Bytes) != ""))
                return parts.Single(p => p.Field == 2).Number;
        }
        throw new InvalidDataException($"{file} names no opset.");
    }

    private static IEnumerable<(int Field, byte[] Bytes, long Number)> Fields(byte[] message)
    {
        for (var at = 0; at < message.Length;)
        {
            var tag = Varint(message, ref at);
            switch (tag & 7)
            {
                case 0:
                    yield return ((int)(tag >> 3), [], Varint(message, ref at));
                    break;
                case 1:
                    yield return ((int)(tag >> 3), [], BinaryPrimitives.ReadInt64LittleEndian(message.AsSpan(at)));
                    at += 8;
                    break;
                case 2:
                    var length = (int)Varint(message, ref at);
                    yield return ((int)(tag >> 3), message[at..(at + length)], 0);
                    at += length;
                    break;
                default:
                    throw new InvalidDataException($"Wire type {tag & 7} at {at}.");
            }
        }
    }

    private static long Varint(byte[] message, ref int at)
    {
        long number = 0;
        for (var shift = 0; ; shift += 7)
        {
            var next = message[at++];
            number |= (long)(next & 0x7f) << shift;
            if (next < 0x80)
                return number;
        }
    }
}
