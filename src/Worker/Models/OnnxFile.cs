using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Millrace.Worker.Models;

/// <summary>Data of a tensor that lies outside the model's file.</summary>
/// <param name="Length">Null: as much as the tensor's shape takes.</param>
internal sealed record ExternalTensor(string Location, long Offset, long? Length);

/// <summary>Finds what a model wants to read from other files. It reads no more of the file's protobuf than that takes.</summary>
/// <remarks>Source: onnx.proto; field numbers are for ever.</remarks>
internal static class OnnxFile
{
    /// <summary>As deep as ONNX Runtime's own parser goes.</summary>
    private const int MostDepth = 100;

    private enum Message
    {
        None,
        Model,
        Training,
        Function,
        Graph,
        Node,
        Attribute,
        Sparse,
        Tensor,
    }

    /// <exception cref="InvalidDataException">It is no protobuf, or has too many such tensors, or one that names no file or not a number.</exception>
    public static IReadOnlyList<ExternalTensor> ExternalTensors(ReadOnlySpan<byte> model, int most)
    {
        var found = new List<ExternalTensor>();
        Walk(Message.Model, model, 0, found, most);
        return found;
    }

    private static void Walk(Message message, ReadOnlySpan<byte> bytes, int depth, List<ExternalTensor> found, int most)
    {
        if (depth > MostDepth)
            throw new InvalidDataException($"model.onnx nests deeper than {MostDepth}");
        if (message == Message.Tensor)
        {
            if (Tensor(bytes) is not { } tensor)
                return;
            if (found.Count == most)
                throw new InvalidDataException($"model.onnx has external data for more than {most} tensors (Millrace:Models:MaxExternalTensors)");
            found.Add(tensor);
            return;
        }
        var fields = new Fields(bytes);
        while (fields.Next())
        {
            if (fields.IsBytes && Inner(message, fields.Number) is var inner and not Message.None)
                Walk(inner, fields.Bytes, depth + 1, found, most);
        }
    }

    private static Message Inner(Message message, int field) => (message, field) switch
    {
        (Message.Model, 7) or (Message.Training, 1 or 2) or (Message.Attribute, 6 or 11) => Message.Graph,
        (Message.Model, 20) => Message.Training,
        (Message.Model, 25) => Message.Function,
        (Message.Graph, 1) or (Message.Function, 7) => Message.Node,
        (Message.Node, 5) or (Message.Function, 11) => Message.Attribute,
        (Message.Graph, 5) or (Message.Attribute, 5 or 10) or (Message.Sparse, 1 or 2) => Message.Tensor,
        (Message.Graph, 15) or (Message.Attribute, 22 or 23) => Message.Sparse,
        _ => Message.None,
    };

    private static ExternalTensor? Tensor(ReadOnlySpan<byte> bytes)
    {
        string? location = null;
        long offset = 0;
        long? length = null;
        var isExternal = false;
        var fields = new Fields(bytes);
        while (fields.Next())
        {
            if (fields.Number == 14 && !fields.IsBytes)
                isExternal |= fields.Value == 1;
            if (fields.Number != 13 || !fields.IsBytes)
                continue;
            var (key, value) = Entry(fields.Bytes);
            switch (key)
            {
                case "location":
                    location = location is null ? value : throw new InvalidDataException("model.onnx has a tensor with external data in two places");
                    break;
                case "offset":
                    offset = Number(key, value);
                    break;
                case "length":
                    length = Number(key, value);
                    break;
                default:
                    break; // a checksum, or what others add
            }
            isExternal = true; // also where the tensor does not say so: protobuf joins what stands in two places
        }
        return isExternal ? new ExternalTensor(location ?? throw new InvalidDataException("model.onnx has a tensor with external data that names no file"), offset, length) : null;
    }

    private static (string Key, string Value) Entry(ReadOnlySpan<byte> bytes)
    {
        var (key, value) = ("", "");
        var fields = new Fields(bytes);
        while (fields.Next())
        {
            if (fields.IsBytes && fields.Number == 1)
                key = Encoding.UTF8.GetString(fields.Bytes);
            else if (fields.IsBytes && fields.Number == 2)
                value = Encoding.UTF8.GetString(fields.Bytes);
        }
        return (key, value);
    }

    private static long Number(string key, string value) => long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
        ? number
        : throw new InvalidDataException($"model.onnx has external data with the {key} {ModelFile.Show(value)}; it must be a whole number from 0");

    /// <summary>The fields of one protobuf message, one after the other.</summary>
    private ref struct Fields(ReadOnlySpan<byte> rest)
    {
        private ReadOnlySpan<byte> _rest = rest;

        public int Number { get; private set; }
        public bool IsBytes { get; private set; }
        public ulong Value { get; private set; }
        public ReadOnlySpan<byte> Bytes { get; private set; }

        public bool Next()
        {
            if (_rest.IsEmpty)
                return false;
            var tag = ReadVarint();
            if (tag >> 3 is 0 or > int.MaxValue)
                throw Broken();
            Number = (int)(tag >> 3);
            IsBytes = false;
            switch (tag & 7)
            {
                case 0:
                    Value = ReadVarint();
                    break;
                case 1:
                    Value = BinaryPrimitives.ReadUInt64LittleEndian(Take(8));
                    break;
                case 2:
                    Bytes = Take(ReadVarint());
                    IsBytes = true;
                    break;
                case 5:
                    Value = BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
                    break;
                default:
                    throw Broken(); // groups, which ONNX has none of
            }
            return true;
        }

        private ulong ReadVarint()
        {
            ulong value = 0;
            for (var shift = 0; shift < 70; shift += 7)
            {
                var next = Take(1)[0];
                value |= (ulong)(next & 0x7F) << shift;
                if (next < 0x80)
                    return value;
            }
            throw Broken();
        }

        private ReadOnlySpan<byte> Take(ulong length)
        {
            if (length > (ulong)_rest.Length)
                throw Broken();
            var taken = _rest[..(int)length];
            _rest = _rest[(int)length..];
            return taken;
        }

        private static InvalidDataException Broken() => new("the file is no ONNX model: it is cut, or something else");
    }
}
