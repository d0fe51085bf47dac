using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Millrace.Api.Errors;
using Millrace.Api.Grpc.Protos;
using Millrace.Api.Inference;
using Millrace.Hosting.Inference;

namespace Millrace.Api.Grpc;

/// <summary>Tensors as lists of numbers, from and into their binary form.</summary>
internal static class TypedContents
{
    /// <summary>FP16 and BF16 have no list.</summary>
    public static bool CanHold(Datatype datatype) => datatype is not (Datatype.Fp16 or Datatype.Bf16);

    /// <exception cref="RefusedException">It has not as many elements as the shape takes, in the list of the datatype, or one is out of its range.</exception>
    public static ReadOnlyMemory<byte> Read(InferTensorContents contents, string name, Datatype datatype, long count)
    {
        if (!CanHold(datatype))
            throw TensorJsonReader.Wrong(name, $"{datatype.Name()} has no list in contents; send it in raw_input_contents");
        var (list, elements) = ListOf(contents, datatype);
        if (elements != count)
            throw TensorJsonReader.Wrong(name, $"its shape takes {count} elements, and {list} has {elements}");
        if (elements != Elements(contents))
            throw TensorJsonReader.Wrong(name, $"it has elements in other lists than {list}, which is that of {datatype.Name()}");
        return datatype switch
        {
            Datatype.Bool => Copy(contents.BoolContents),
            Datatype.Int8 => Narrow<int, sbyte>(contents.IntContents, name, datatype),
            Datatype.Int16 => Narrow<int, short>(contents.IntContents, name, datatype),
            Datatype.Int32 => Copy(contents.IntContents),
            Datatype.Int64 => Copy(contents.Int64Contents),
            Datatype.Uint8 => Narrow<uint, byte>(contents.UintContents, name, datatype),
            Datatype.Uint16 => Narrow<uint, ushort>(contents.UintContents, name, datatype),
            Datatype.Uint32 => Copy(contents.UintContents),
            Datatype.Uint64 => Copy(contents.Uint64Contents),
            Datatype.Fp32 => Copy(contents.Fp32Contents),
            Datatype.Fp64 => Copy(contents.Fp64Contents),
            _ => Join(contents.BytesContents),
        };
    }

    public static InferTensorContents Write(Tensor tensor)
    {
        var contents = new InferTensorContents();
        var data = tensor.Data.Span;
        switch (tensor.Datatype)
        {
            case Datatype.Bool: Fill(contents.BoolContents, MemoryMarshal.Cast<byte, bool>(data)); break;
            case Datatype.Int8: Widen(contents.IntContents, MemoryMarshal.Cast<byte, sbyte>(data)); break;
            case Datatype.Int16: Widen(contents.IntContents, MemoryMarshal.Cast<byte, short>(data)); break;
            case Datatype.Int32: Fill(contents.IntContents, MemoryMarshal.Cast<byte, int>(data)); break;
            case Datatype.Int64: Fill(contents.Int64Contents, MemoryMarshal.Cast<byte, long>(data)); break;
            case Datatype.Uint8: Widen(contents.UintContents, data); break;
            case Datatype.Uint16: Widen(contents.UintContents, MemoryMarshal.Cast<byte, ushort>(data)); break;
            case Datatype.Uint32: Fill(contents.UintContents, MemoryMarshal.Cast<byte, uint>(data)); break;
            case Datatype.Uint64: Fill(contents.Uint64Contents, MemoryMarshal.Cast<byte, ulong>(data)); break;
            case Datatype.Fp32: Fill(contents.Fp32Contents, MemoryMarshal.Cast<byte, float>(data)); break;
            case Datatype.Fp64: Fill(contents.Fp64Contents, MemoryMarshal.Cast<byte, double>(data)); break;
            case Datatype.Bytes: Split(contents.BytesContents, tensor.Data); break;
            default: throw new ArgumentException($"{tensor.Datatype.Name()} has no list.", nameof(tensor));
        }
        return contents;
    }

    private static (string List, int Elements) ListOf(InferTensorContents contents, Datatype datatype) => datatype switch
    {
        Datatype.Bool => ("bool_contents", contents.BoolContents.Count),
        Datatype.Int8 or Datatype.Int16 or Datatype.Int32 => ("int_contents", contents.IntContents.Count),
        Datatype.Int64 => ("int64_contents", contents.Int64Contents.Count),
        Datatype.Uint8 or Datatype.Uint16 or Datatype.Uint32 => ("uint_contents", contents.UintContents.Count),
        Datatype.Uint64 => ("uint64_contents", contents.Uint64Contents.Count),
        Datatype.Fp32 => ("fp32_contents", contents.Fp32Contents.Count),
        Datatype.Fp64 => ("fp64_contents", contents.Fp64Contents.Count),
        _ => ("bytes_contents", contents.BytesContents.Count),
    };

    private static long Elements(InferTensorContents contents) => (long)contents.BoolContents.Count + contents.IntContents.Count + contents.Int64Contents.Count
        + contents.UintContents.Count + contents.Uint64Contents.Count + contents.Fp32Contents.Count + contents.Fp64Contents.Count + contents.BytesContents.Count;

    private static byte[] Copy<T>(RepeatedField<T> list) where T : unmanaged => MemoryMarshal.AsBytes(UnsafeCollectionOperations.AsSpan(list)).ToArray();

    private static byte[] Narrow<TList, T>(RepeatedField<TList> list, string name, Datatype datatype)
        where TList : unmanaged, IBinaryInteger<TList> where T : unmanaged, IBinaryInteger<T>, IMinMaxValue<T>
    {
        var bytes = new byte[list.Count * T.Zero.GetByteCount()];
        var elements = MemoryMarshal.Cast<byte, T>(bytes.AsSpan());
        for (var at = 0; at < elements.Length; at++)
        {
            elements[at] = T.CreateTruncating(list[at]);
            if (TList.CreateTruncating(elements[at]) != list[at])
                throw TensorJsonReader.Wrong(name, $"element {at} is {list[at]}; {datatype.Name()} takes {IntegerElement<T>.Takes}");
        }
        return bytes;
    }

    private static byte[] Join(RepeatedField<ByteString> list)
    {
        var bytes = new byte[checked(list.Sum(element => 4 + element.Length))];
        var rest = bytes.AsSpan();
        foreach (var element in list)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(rest, (uint)element.Length);
            element.Span.CopyTo(rest[4..]);
            rest = rest[(4 + element.Length)..];
        }
        return bytes;
    }

    private static void Fill<T>(RepeatedField<T> list, ReadOnlySpan<T> elements) where T : unmanaged
    {
        UnsafeCollectionOperations.SetCount(list, elements.Length);
        elements.CopyTo(UnsafeCollectionOperations.AsSpan(list));
    }

    private static void Widen<TList, T>(RepeatedField<TList> list, ReadOnlySpan<T> elements) where TList : unmanaged, IBinaryInteger<TList> where T : unmanaged, IBinaryInteger<T>
    {
        UnsafeCollectionOperations.SetCount(list, elements.Length);
        var target = UnsafeCollectionOperations.AsSpan(list);
        for (var at = 0; at < elements.Length; at++)
            target[at] = TList.CreateChecked(elements[at]);
    }

    private static void Split(RepeatedField<ByteString> list, ReadOnlyMemory<byte> data)
    {
        while (data.Length > 0)
        {
            var length = (int)BinaryPrimitives.ReadUInt32LittleEndian(data.Span);
            list.Add(UnsafeByteOperations.UnsafeWrap(data.Slice(4, length)));
            data = data[(4 + length)..];
        }
    }
}
