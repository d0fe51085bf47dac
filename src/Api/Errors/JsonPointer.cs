namespace Millrace.Api.Errors;

internal static class JsonPointer
{
    private const int LongestName = 64;

    /// <summary>A name as a step of a pointer; a long one is cut, since an answer must not be larger than what it answers.</summary>
    /// <remarks>Source: RFC 6901 §3.</remarks>
    public static string Step(string name) =>
        "/" + (name.Length <= LongestName ? name : name[..LongestName]).Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);
}
