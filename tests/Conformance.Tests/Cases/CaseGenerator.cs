using System.Globalization;
using Millrace.Conformance.Tests.Table;
using Millrace.Hosting.Inference;

namespace Millrace.Conformance.Tests.Cases;

/// <summary>Requests to a model of the table, the same on every run. MILLRACE_CONFORMANCE_SEED makes others.</summary>
internal static class CaseGenerator
{
    private static readonly int FirstSeed = int.Parse(Environment.GetEnvironmentVariable("MILLRACE_CONFORMANCE_SEED") ?? "1", CultureInfo.InvariantCulture);

    /// <summary>Few rows and many, the ends of each type, what JSON can't say, no row at all, and rows of nothing.</summary>
    public static IEnumerable<Case> All(TableModel model)
    {
        yield return Make(model, "one row", 1, Flavour.Ordinary, 1);
        yield return Make(model, "three rows", 3, Flavour.Ordinary, 2);
        yield return Make(model, "eight rows", 8, Flavour.Ordinary, 3);
        yield return Make(model, "edges", 3, Flavour.Edges, 4);
        if (model.Inputs.Any(i => i.Datatype is Datatype.Fp16 or Datatype.Bf16 or Datatype.Fp32 or Datatype.Fp64 or Datatype.Bytes))
            yield return Make(model, "not for JSON", 3, Flavour.Unsayable, 5);
        var open = model.Inputs.SelectMany(i => i.Shape).Where(d => d.IsOpen).ToArray();
        if (open.Any(d => d.Name == "N"))
            yield return Make(model, "no row", 0, Flavour.Ordinary, 6);
        if (open.Any(d => d.Name != "N"))
            yield return Make(model, "hollow", 2, Flavour.Ordinary, 7, hollow: true);
    }

    /// <summary>Requests that could share a run: they differ in values and in the number of rows.</summary>
    public static IReadOnlyList<Case> Alike(TableModel model, int count) =>
        Enumerable.Range(0, count).Select(at => Make(model, $"together {at}", 1 + at % 3, Flavour.Ordinary, 100 + at, dimensions: 100)).ToArray();

    private static Case Make(TableModel model, string name, int rows, Flavour flavour, int number, bool hollow = false, int? dimensions = null)
    {
        var seed = Seed(model.Name, number);
        var shapes = new Random(Seed(model.Name, dimensions ?? number));
        var sizes = new Dictionary<string, long> { ["N"] = rows };
        long Size(OpenDimension dimension, int at)
        {
            if (!dimension.IsOpen)
                return dimension.Size;
            if (dimension.Name == "")
                return at == 0 ? rows : hollow ? 0 : 3;
            if (!sizes.TryGetValue(dimension.Name, out var size))
                sizes[dimension.Name] = size = hollow ? 0 : shapes.Next(1, 5);
            return size;
        }
        var values = new Random(seed);
        var inputs = model.Inputs.Select(input =>
        {
            long[] shape = [.. input.Shape.Select(Size)];
            return new Tensor(input.Name, input.Datatype, shape, Values.Make(model.Name, input, Tensor.Count(shape), flavour, values));
        }).ToArray();
        return new Case(name, seed, inputs);
    }

    /// <summary>Not <see cref="string.GetHashCode()"/>, which differs from run to run.</summary>
    private static int Seed(string model, int number) => model.Aggregate(FirstSeed * 1000 + number, (hash, letter) => unchecked(hash * 31 + letter)) & int.MaxValue;
}
