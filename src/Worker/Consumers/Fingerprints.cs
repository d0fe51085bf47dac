using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Millrace.Worker.Execution;

namespace Millrace.Worker.Consumers;

/// <summary>A short name for a kind of failure: the same model, version, code and message but for the numbers in it.</summary>
internal static partial class Fingerprints
{
    public static string Of(string model, string version, RunFailure failure)
    {
        var kind = $"{model}\n{version}\n{failure.Code}\n{Number().Replace(failure.Message, "#")}";
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(kind)).AsSpan(0, 8));
    }

    [GeneratedRegex(@"-?\d+(\.\d+)?")]
    private static partial Regex Number();
}
