namespace Millrace.Conformance.Tests.Judging;

/// <summary>What was found of a model.</summary>
internal sealed class Verdict
{
    private readonly HashSet<Way> _proved = [];
    private readonly List<string> _faults = [];

    public IReadOnlyList<string> Faults => _faults;

    /// <summary>At least one answer that way was the model's own.</summary>
    public bool IsProved(Way way) => _proved.Contains(way);

    public void Prove(Way way) => _proved.Add(way);

    public void Blame(string fault) => _faults.Add(fault);
}

internal enum Way
{
    Json,
    Binary,
    Grpc,
}
