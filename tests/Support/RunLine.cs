using System.Globalization;

namespace Millrace.Tests.Support;

/// <summary>A line of the run ledger: what a worker ran together, at its start or its end.</summary>
public sealed record RunLine(string What, string Model, string Version, IReadOnlyList<RunRequest> Requests)
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
        return new RunLine(words[0], words[1], words[2], words.Skip(3).Select(RunRequest.Parse).ToArray());
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
