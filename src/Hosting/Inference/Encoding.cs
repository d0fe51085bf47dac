using System.Buffers.Binary;
using System.Text;

namespace Millrace.Hosting.Inference;

/// <summary>Writes into one array of exactly the size that was counted before.</summary>
internal ref struct EncodingWriter(int size)
{
    private readonly byte[] _bytes = GC.AllocateUninitializedArray<byte>(size); // every byte is written, or it is not handed out
    private int _at;

    public readonly byte[] Bytes => _at == _bytes.Length ? _bytes : throw new InvalidOperationException($"Counted {_bytes.Length} bytes, wrote {_at}.");

    public static int SizeOf(string? text) => checked(4 + (text is null ? 0 : Encoding.UTF8.GetByteCount(text)));

    public static int SizeOf(Tensor tensor) => checked(SizeOf(tensor.Name) + 1 + 4 + (8 * tensor.Shape.Length) + 4 + tensor.Data.Length);

    public void Write(byte value) => _bytes[_at++] = value;

    public void Write(int value)
    {
        BinaryPrimitives.WriteInt32LittleEndian(_bytes.AsSpan(_at), value);
        _at += 4;
    }

    public void Write(string? text)
    {
        if (text is null)
        {
            Write(-1);
            return;
        }
        var length = Encoding.UTF8.GetBytes(text, _bytes.AsSpan(_at + 4));
        Write(length);
        _at += length;
    }

    public void Write(Tensor tensor)
    {
        Write(tensor.Name);
        Write((byte)tensor.Datatype);
        Write(tensor.Shape.Length);
        foreach (var dimension in tensor.Shape)
        {
            BinaryPrimitives.WriteInt64LittleEndian(_bytes.AsSpan(_at), dimension);
            _at += 8;
        }
        Write(tensor.Data.Length);
        tensor.Data.Span.CopyTo(_bytes.AsSpan(_at));
        _at += tensor.Data.Length;
    }
}

/// <summary>Reads what <see cref="EncodingWriter"/> wrote; tensors are views of the same memory.</summary>
/// <exception cref="InvalidDataException">The bytes are not of that form.</exception>
internal ref struct EncodingReader(ReadOnlyMemory<byte> bytes)
{
    private readonly ReadOnlyMemory<byte> _bytes = bytes;
    private int _at;

    public byte ReadByte() => Take(1).Span[0];

    public int ReadInt() => BinaryPrimitives.ReadInt32LittleEndian(Take(4).Span);

    /// <summary>A number of things that take at least one byte each, so that a forged one allocates nothing large.</summary>
    public int ReadCount() => ReadInt() is var count && count >= 0 && count <= _bytes.Length - _at
        ? count : throw new InvalidDataException($"A count of {count} does not fit.");

    public string? ReadText() => ReadInt() is var length && length < 0 ? null : Encoding.UTF8.GetString(Take(length).Span);

    public Tensor ReadTensor()
    {
        var name = ReadText() ?? "";
        var datatype = (Datatype)ReadByte();
        var shape = new long[ReadCount()];
        for (var at = 0; at < shape.Length; at++)
            shape[at] = BinaryPrimitives.ReadInt64LittleEndian(Take(8).Span);
        return new Tensor(name, datatype, shape, Take(ReadInt()));
    }

    private ReadOnlyMemory<byte> Take(int length)
    {
        if (length < 0 || length > _bytes.Length - _at)
            throw new InvalidDataException($"{length} bytes are announced at {_at}, and {_bytes.Length - _at} are left.");
        var part = _bytes.Slice(_at, length);
        _at += length;
        return part;
    }
}
