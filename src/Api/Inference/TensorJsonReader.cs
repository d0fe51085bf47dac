using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Millrace.Api.Errors;
using Millrace.Hosting.Inference;

namespace Millrace.Api.Inference;

/// <summary>Reads a tensor's <c>data</c> straight into its binary form: flat or nested at any depth, row-major, but never ragged.</summary>
internal static class TensorJsonReader
{
    /// <summary>Of any JSON that we read; the extra level is the reader's own.</summary>
    public const int DeepestNesting = 100;

    /// <summary>Reads the value that the reader stands on.</summary>
    /// <param name="count">Elements that the shape takes.</param>
    /// <exception cref="RefusedException">It does not fit the datatype or the count.</exception>
    public static ReadOnlyMemory<byte> Read(ref Utf8JsonReader json, string name, Datatype datatype, long count) => datatype switch
    {
        Datatype.Fp32 => Read<Fp32Element>(ref json, name, datatype, count),
        Datatype.Fp64 => Read<Fp64Element>(ref json, name, datatype, count),
        Datatype.Bool => Read<BoolElement>(ref json, name, datatype, count),
        Datatype.Int8 => Read<IntegerElement<sbyte>>(ref json, name, datatype, count),
        Datatype.Int16 => Read<IntegerElement<short>>(ref json, name, datatype, count),
        Datatype.Int32 => Read<IntegerElement<int>>(ref json, name, datatype, count),
        Datatype.Int64 => Read<IntegerElement<long>>(ref json, name, datatype, count),
        Datatype.Uint8 => Read<IntegerElement<byte>>(ref json, name, datatype, count),
        Datatype.Uint16 => Read<IntegerElement<ushort>>(ref json, name, datatype, count),
        Datatype.Uint32 => Read<IntegerElement<uint>>(ref json, name, datatype, count),
        Datatype.Uint64 => Read<IntegerElement<ulong>>(ref json, name, datatype, count),
        Datatype.Bytes => ReadStrings(ref json, name, count),
        _ => throw Wrong(name, $"{datatype.Name()} can't be written as JSON; its elements travel in binary only"),
    };

    private static ReadOnlyMemory<byte> Read<T>(ref Utf8JsonReader json, string name, Datatype datatype, long count) where T : struct, ITensorElement
    {
        var bytes = new byte[checked((int)(count * T.Size))];
        var walk = new Walk(name, count);
        while (walk.NextElement(ref json))
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
        var walk = new Walk(name, count);
        while (walk.NextElement(ref json))
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

    /// <summary>Goes from element to element, and sees to it that arrays of one depth are of one length.</summary>
    private struct Walk(string name, long count)
    {
        private Depths _widths; // of the arrays at each depth, from 1; 0 while not known, else one more than the length
        private Depths _children;
        private int _depth;
        private int _elementDepth = -1;
        private bool _begun;

        public long Elements { get; private set; }

        /// <summary>Moves to the next element; false at the end, when the number of elements has been checked.</summary>
        public bool NextElement(ref Utf8JsonReader json)
        {
            while (!_begun || (_depth > 0 && json.Read()))
            {
                _begun = true;
                if (json.TokenType == JsonTokenType.StartArray)
                {
                    _children[_depth]++;
                    _children[++_depth] = 0;
                }
                else if (json.TokenType == JsonTokenType.EndArray)
                {
                    EndArray();
                }
                else
                {
                    StepElement();
                    return true;
                }
            }
            return Elements == count ? false : throw Wrong(name, $"its shape takes {count} elements, and data has {Elements}");
        }

        private void EndArray()
        {
            var width = _children[_depth] + 1;
            if (_widths[_depth] != 0 && _widths[_depth] != width)
                throw Wrong(name, $"data is ragged: arrays at depth {_depth} have {_widths[_depth] - 1} and {width - 1} elements");
            _widths[_depth--] = width;
        }

        private void StepElement()
        {
            if (_elementDepth >= 0 && _elementDepth != _depth)
                throw Wrong(name, $"data is ragged: elements lie at depths {_elementDepth} and {_depth}");
            if (_depth == 0 && Elements > 0 || Elements >= count)
                throw Wrong(name, $"its shape takes {count} elements, and data has more");
            _elementDepth = _depth;
            _children[_depth]++;
            Elements++;
        }
    }

    [InlineArray(DeepestNesting + 2)]
    private struct Depths
    {
        private long _first;
    }
}
