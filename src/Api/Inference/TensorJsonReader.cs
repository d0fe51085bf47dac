using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Millrace.Api.Errors;
using Millrace.Hosting.Inference;

namespace Millrace.Api.Inference;

/// <summary>Reads a tensor's <c>data</c> straight into its binary form: flat or nested at any depth, row-major, but never ragged.</summary>
internal static class TensorJsonReader
{
    public const int DeepestNesting = TensorWalk.DeepestNesting;

    /// <summary>Reads the value that the reader stands on.</summary>
    /// <param name="count">Elements that the shape takes.</param>
    /// <param name="rest">The JSON from the value's first byte on; empty where the reader must not be replaced.</param>
    /// <param name="skipped">Bytes of <paramref name="rest"/> that a new reader, which then stands at the value's end, has not seen.</param>
    /// <exception cref="RefusedException">It does not fit the datatype or the count.</exception>
    public static ReadOnlyMemory<byte> Read(ref Utf8JsonReader json, string name, Datatype datatype, long count, ReadOnlySpan<byte> rest, out int skipped)
    {
        skipped = 0;
        return datatype switch
        {
            Datatype.Fp32 => Read<Fp32Element>(ref json, name, datatype, count, rest, out skipped),
            Datatype.Fp64 => Read<Fp64Element>(ref json, name, datatype, count, rest, out skipped),
            Datatype.Bool => Read<BoolElement>(ref json, name, datatype, count),
            Datatype.Int8 => Read<IntegerElement<sbyte>>(ref json, name, datatype, count, rest, out skipped),
            Datatype.Int16 => Read<IntegerElement<short>>(ref json, name, datatype, count, rest, out skipped),
            Datatype.Int32 => Read<IntegerElement<int>>(ref json, name, datatype, count, rest, out skipped),
            Datatype.Int64 => Read<IntegerElement<long>>(ref json, name, datatype, count, rest, out skipped),
            Datatype.Uint8 => Read<IntegerElement<byte>>(ref json, name, datatype, count, rest, out skipped),
            Datatype.Uint16 => Read<IntegerElement<ushort>>(ref json, name, datatype, count, rest, out skipped),
            Datatype.Uint32 => Read<IntegerElement<uint>>(ref json, name, datatype, count, rest, out skipped),
            Datatype.Uint64 => Read<IntegerElement<ulong>>(ref json, name, datatype, count, rest, out skipped),
            Datatype.Bytes => ReadStrings(ref json, name, count),
            _ => throw Wrong(name, $"{datatype.Name()} can't be written as JSON; its elements travel in binary only"),
        };
    }

    /// <summary>Plain numbers by <see cref="TensorNumberScanner"/>; the reader is then replaced by one that stands at the closing bracket.</summary>
    private static ReadOnlyMemory<byte> Read<T>(ref Utf8JsonReader json, string name, Datatype datatype, long count, ReadOnlySpan<byte> rest, out int skipped) where T : struct, ITensorElement
    {
        skipped = 0;
        if (json.TokenType != JsonTokenType.StartArray || rest.IsEmpty)
            return Read<T>(ref json, name, datatype, count);
        var bytes = GC.AllocateUninitializedArray<byte>(checked((int)(count * T.Size))); // all or none is handed out
        var walk = new TensorWalk(name, count);
        var scanner = new TensorNumberScanner(rest);
        if (!scanner.TryRead<T>(bytes, ref walk))
            return Read<T>(ref json, name, datatype, count);
        skipped = scanner.At;
        json = new Utf8JsonReader(rest[skipped..], isFinalBlock: true, json.CurrentState); // to which the array looks empty
        json.Read();
        return bytes;
    }

    private static ReadOnlyMemory<byte> Read<T>(ref Utf8JsonReader json, string name, Datatype datatype, long count) where T : struct, ITensorElement
    {
        var bytes = GC.AllocateUninitializedArray<byte>(checked((int)(count * T.Size))); // all or none is handed out
        var walk = new TensorWalk(name, count);
        var hasBegun = false;
        while (NextElement(ref json, ref walk, ref hasBegun))
        {
            var at = walk.Elements - 1;
            if (!T.TryRead(ref json, bytes.AsSpan(checked((int)at * T.Size), T.Size)))
                throw Wrong(name, $"element {at} is {Token(json)}; {datatype.Name()} takes {T.Takes}");
        }
        return bytes;
    }

    private static ReadOnlyMemory<byte> ReadStrings(ref Utf8JsonReader json, string name, long count)
    {
        var bytes = new ArrayBufferWriter<byte>(256);
        var walk = new TensorWalk(name, count);
        var hasBegun = false;
        while (NextElement(ref json, ref walk, ref hasBegun))
        {
            if (json.TokenType != JsonTokenType.String)
                throw Wrong(name, $"element {walk.Elements - 1} is {Token(json)}; BYTES takes strings");
            var target = bytes.GetSpan(4 + json.ValueSpan.Length);
            var length = json.CopyString(target[4..]);
            BinaryPrimitives.WriteUInt32LittleEndian(target, (uint)length);
            bytes.Advance(4 + length);
        }
        return bytes.WrittenMemory;
    }

    public static RefusedException Wrong(string name, string what) => new(ErrorCode.InvalidTensor, $"Input {name}: {what}.");

    private static string Token(in Utf8JsonReader json) => json.TokenType switch
    {
        JsonTokenType.String => "a string",
        JsonTokenType.StartObject => "an object",
        JsonTokenType.Null => "null",
        JsonTokenType.True => "true",
        JsonTokenType.False => "false",
        _ => Encoding.UTF8.GetString(json.ValueSpan[..Math.Min(json.ValueSpan.Length, 40)]),
    };

    /// <summary>Moves to the next element; false at the end, when the number of elements has been checked.</summary>
    private static bool NextElement(ref Utf8JsonReader json, ref TensorWalk walk, ref bool hasBegun)
    {
        while (!hasBegun || (walk.IsInArray && json.Read()))
        {
            hasBegun = true;
            if (json.TokenType == JsonTokenType.StartArray)
                walk.TryStartArray(); // the reader itself goes no deeper
            else if (json.TokenType == JsonTokenType.EndArray)
                walk.EndArray();
            else
            {
                walk.StepElement();
                return true;
            }
        }
        return !walk.IsDone;
    }
}
