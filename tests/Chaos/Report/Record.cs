using System.Text.Json;
using Millrace.Chaos.History;

namespace Millrace.Chaos.Report;

/// <summary>One run of an experiment whose fault bit, as a line of a file that a report is made of.</summary>
public sealed record Record(string Experiment, Counts Counts, IReadOnlyList<Violation> Violations)
{
    /// <summary>Where to append; nowhere when it is not set.</summary>
    public const string FileVariable = "MILLRACE_CHAOS_RECORDS";

    public async Task AppendAsync()
    {
        if (Environment.GetEnvironmentVariable(FileVariable) is { Length: > 0 } file)
            await File.AppendAllTextAsync(file, JsonSerializer.Serialize(this) + "\n");
    }
}
