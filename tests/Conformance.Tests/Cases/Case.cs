using Millrace.Hosting.Inference;

namespace Millrace.Conformance.Tests.Cases;

/// <summary>One request to a model of the table.</summary>
/// <param name="Name">For whoever reads that it failed.</param>
/// <param name="Seed">Makes the same case again.</param>
internal sealed record Case(string Name, int Seed, IReadOnlyList<Tensor> Inputs)
{
    public override string ToString() => $"{Name} ({string.Join(", ", Inputs.Select(i => $"{i.Name}:[{string.Join(',', i.Shape)}]"))}; seed {Seed})";
}

/// <summary>What of a tensor's values is wanted.</summary>
internal enum Flavour
{
    Ordinary,

    /// <summary>The ends of each type.</summary>
    Edges,

    /// <summary>What JSON has no words for: NaN, infinity, bytes that are not UTF-8.</summary>
    Unsayable,
}
