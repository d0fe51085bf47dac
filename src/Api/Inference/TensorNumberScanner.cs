using System.Text.Json;

namespace Millrace.Api.Inference;

/// <summary>Reads arrays of plain numbers without a token for each: what nearly all data of a tensor is made of. It accepts less than JSON, and never more: whatever is
/// not plain makes it give up, and the general reader starts again and finds the words for what is wrong.</summary>
internal ref struct TensorNumberScanner(ReadOnlySpan<byte> json)
{
    private const int MostDigits = 19; // of a number that surely fits 64 bits
    private readonly ReadOnlySpan<byte> _json = json;

    /// <summary>The present position: of the closing bracket, when all was read.</summary>
    public int At { get; private set; }

    /// <summary>Reads all elements of the array that begins at the first byte.</summary>
    /// <returns>False when something is not plain.</returns>
    /// <exception cref="Errors.RefusedException">It is ragged, or has too many elements.</exception>
    public bool TryRead<T>(Span<byte> target, ref TensorWalk walk) where T : struct, ITensorElement
    {
        var mayEnd = true; // right after [ an array may end; after a comma it may not
        while (At < _json.Length)
        {
            switch (_json[At])
            {
                case (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t':
                    At++;
                    break;
                case (byte)'[':
                    if (!walk.TryStartArray())
                        return false;
                    At++;
                    mayEnd = true;
                    break;
                case (byte)']' when mayEnd:
                    walk.EndArray();
                    if (walk.IsDone)
                        return true;
                    At++;
                    if (!TryEndValue())
                        return false;
                    mayEnd = _json[At] == (byte)']';
                    break;
                case (byte)'-' or (>= (byte)'0' and <= (byte)'9'):
                    walk.StepElement();
                    if (!TryReadNumber<T>(target[((int)(walk.Elements - 1) * T.Size)..]) || !TryEndValue())
                        return false;
                    mayEnd = _json[At] == (byte)']';
                    break;
                default:
                    return false;
            }
        }
        return false;
    }

    /// <summary>Past a comma, or up to a closing bracket.</summary>
    private bool TryEndValue()
    {
        while (At < _json.Length && _json[At] is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t')
            At++;
        if (At >= _json.Length - 1)
            return false;
        if (_json[At] != (byte)',')
            return _json[At] == (byte)']';
        At++;
        while (At < _json.Length - 1 && _json[At] is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t')
            At++;
        return _json[At] != (byte)']';
    }

    private bool TryReadNumber<T>(Span<byte> target) where T : struct, ITensorElement
    {
        var at = At;
        var isNegative = at < _json.Length && _json[at] == (byte)'-';
        if (isNegative)
            at++;
        var begin = at;
        ulong digits = 0;
        for (; at < _json.Length && (uint)(_json[at] - '0') <= 9; at++)
            digits = (digits * 10) + (uint)(_json[at] - '0');
        var whole = at - begin;
        if (whole == 0 || (whole > 1 && _json[begin] == (byte)'0'))
            return false;
        var fraction = 0;
        if (at < _json.Length && _json[at] == (byte)'.')
        {
            var point = ++at;
            for (; at < _json.Length && (uint)(_json[at] - '0') <= 9; at++)
                digits = (digits * 10) + (uint)(_json[at] - '0');
            fraction = at - point;
            if (fraction == 0)
                return false;
        }
        if (whole + fraction <= MostDigits && (at >= _json.Length || (_json[at] | 0x20) != (byte)'e') && T.TryWrite(isNegative, digits, fraction, target))
        {
            At = at;
            return true;
        }
        return TryReadToken<T>(target);
    }

    /// <summary>A number that takes more care, read as the general reader would.</summary>
    private bool TryReadToken<T>(Span<byte> target) where T : struct, ITensorElement
    {
        var end = At;
        while (end < _json.Length && _json[end] is (>= (byte)'0' and <= (byte)'9') or (byte)'-' or (byte)'+' or (byte)'.' or (byte)'e' or (byte)'E')
            end++;
        var token = new Utf8JsonReader(_json[At..end], isFinalBlock: true, default);
        try
        {
            if (!token.Read() || !T.TryRead(ref token, target[..T.Size]))
                return false;
        }
        catch (JsonException)
        {
            return false;
        }
        At = end;
        return true;
    }
}
