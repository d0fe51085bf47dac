using System.Globalization;

namespace Millrace.Tests.Support;

/// <summary>A line of the run ledger: what a worker ran together, at its start or its end.</summary>
/// <param name="At">Microseconds since 1970.</param>
public sealed record RunLine(string What, long At, string Model, string Version, IReadOnlyList<RunRequest> Requests)
{
    public static IReadOnlyList<RunLine> Read(string file)
    {
        if (!File.Exists(file))
            return [];
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Parse).ToArray();
    }

    private static RunLine Parse(string line)
    {
        var words = line.Split(' ');
        return new RunLine(words[0], long.Parse(words[1], CultureInfo.InvariantCulture), words[2], words[3], words.Skip(4).Select(RunRequest.Parse).ToArray());
    }
}

/// <param name="Lane">Sync or Job.</param>
public sealed record RunRequest(string Lane, Guid Id, int Attempt, long Fence)
{
    public static RunRequest Parse(string text)
    {
        var parts = text.Split(':');
        return new RunRequest(parts[0], Guid.Parse(parts[1]), int.Parse(parts[2], CultureInfo.InvariantCulture), long.Parse(parts[3], CultureInfo.InvariantCulture));
    }
}
