using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Millrace.Messages;

namespace Millrace.Hosting.Broker.Rabbit;

/// <summary>Packs and their replies as bytes: a format byte, then length-prefixed members, little-endian. Tensors are copied once and never turned into text.</summary>
internal static class PackCodec
{
    private const byte Format = 1;
    private const int MostItems = 4096;

    public static ReadOnlyMemory<byte> Write(InferPack pack)
    {
        var writer = new ArrayBufferWriter<byte>(256 + pack.Items.Sum(i => i.Request.Length + 64));
        writer.Write([Format]);
        Text(writer, pack.Model);
        Number(writer, pack.Items.Count);
        foreach (var item in pack.Items)
        {
            Id(writer, item.Id);
            Text(writer, item.ModelVersion ?? "");
            Number(writer, item.Priority);
            Number(writer, item.Remaining.Ticks);
            Bytes(writer, item.Request.Span);
        }
        return writer.WrittenMemory;
    }

    public static ReadOnlyMemory<byte> Write(InferReply reply)
    {
        var writer = new ArrayBufferWriter<byte>(64 + reply.Outcomes.Sum(o => o.Response.Length + 64));
        writer.Write([Format]);
        Number(writer, reply.Outcomes.Count);
        foreach (var outcome in reply.Outcomes)
        {
            Id(writer, outcome.Id);
            Number(writer, (long)outcome.Failure);
            Text(writer, outcome.Detail ?? "");
            Bytes(writer, outcome.Response.Span);
        }
        return writer.WrittenMemory;
    }

    /// <exception cref="InvalidDataException">It is no pack of a format that this process knows.</exception>
    public static InferPack ReadPack(ReadOnlyMemory<byte> bytes)
    {
        var reader = new Reader(bytes);
        reader.Format();
        var model = reader.Text();
        var items = new InferItem[reader.Count()];
        for (var at = 0; at < items.Length; at++)
        {
            items[at] = new InferItem
            {
                Id = reader.Id(),
                ModelVersion = reader.Text() is { Length: > 0 } version ? version : null,
                Priority = (int)reader.Number(),
                Remaining = TimeSpan.FromTicks(reader.Number()),
                Request = reader.Bytes(),
            };
        }
        reader.End();
        return new InferPack { Model = model, Items = items };
    }

    /// <exception cref="InvalidDataException">It is no reply of a format that this process knows.</exception>
    public static InferReply ReadReply(ReadOnlyMemory<byte> bytes)
    {
        var reader = new Reader(bytes);
        reader.Format();
        var outcomes = new InferOutcome[reader.Count()];
        for (var at = 0; at < outcomes.Length; at++)
        {
            outcomes[at] = new InferOutcome
            {
                Id = reader.Id(),
                Failure = (InferFailure)reader.Number(),
                Detail = reader.Text() is { Length: > 0 } detail ? detail : null,
                Response = reader.Bytes(),
            };
        }
        reader.End();
        return new InferReply { Outcomes = outcomes };
    }

    private static void Number(ArrayBufferWriter<byte> writer, long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(writer.GetSpan(8), value);
        writer.Advance(8);
    }

    private static void Id(ArrayBufferWriter<byte> writer, Guid id)
    {
        id.TryWriteBytes(writer.GetSpan(16));
        writer.Advance(16);
    }

    private static void Bytes(ArrayBufferWriter<byte> writer, ReadOnlySpan<byte> bytes)
    {
        Number(writer, bytes.Length);
        writer.Write(bytes);
    }

    private static void Text(ArrayBufferWriter<byte> writer, string text) => Bytes(writer, Encoding.UTF8.GetBytes(text));

    /// <summary>Reads what came from outside: every length is checked before it is used.</summary>
    private ref struct Reader(ReadOnlyMemory<byte> bytes)
    {
        private ReadOnlyMemory<byte> _left = bytes;

        public void Format()
        {
            if (Take(1).Span[0] != PackCodec.Format)
                throw new InvalidDataException("It is of another format.");
        }

        public long Number() => BinaryPrimitives.ReadInt64LittleEndian(Take(8).Span);

        public int Count() => Number() is >= 0 and <= MostItems and var count ? (int)count : throw new InvalidDataException("It has an impossible number of members.");

        public Guid Id() => new(Take(16).Span);

        public ReadOnlyMemory<byte> Bytes() => Take(Number());

        public string Text() => Encoding.UTF8.GetString(Bytes().Span);

        public readonly void End()
        {
            if (_left.Length > 0)
                throw new InvalidDataException("There is something after its end.");
        }

        private ReadOnlyMemory<byte> Take(long count)
        {
            if (count < 0 || count > _left.Length)
                throw new InvalidDataException("It ends too early.");
            var taken = _left[..(int)count];
            _left = _left[(int)count..];
            return taken;
        }
    }
}
