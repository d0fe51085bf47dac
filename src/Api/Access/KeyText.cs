using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Millrace.Api.Access;

/// <summary>A key as its holder has it: <c>mr_</c>, the 12 letters of its id, <c>_</c>, and 256 random bits in 43 letters of base64url.</summary>
internal static class KeyText
{
    public const string Prefix = "mr_";
    private const int IdLetters = 12;
    private const int Length = 59;
    private const string Alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

    public static (string Id, string Text) New()
    {
        var id = RandomNumberGenerator.GetString(Alphabet, IdLetters);
        return (id, $"{Prefix}{id}_{Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32))}");
    }

    /// <summary>Null when it can't be a key of ours.</summary>
    public static string? IdOf(string text) =>
        text.Length == Length && text.StartsWith(Prefix, StringComparison.Ordinal) && text[Prefix.Length + IdLetters] == '_' ? text[Prefix.Length..(Prefix.Length + IdLetters)] : null;

    /// <summary>What is kept of it. No salt and no slow hash: nobody guesses 256 random bits.</summary>
    public static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));
}
