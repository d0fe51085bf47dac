using Millrace.Conformance.Tests.Judging;
using Millrace.Conformance.Tests.Table;

namespace Millrace.Conformance.Tests;

/// <summary>Each model of the table by each transport: what comes back is what ONNX Runtime answers without a server, bit for bit.</summary>
[Collection(Alone.Name)]
public sealed class ModelTests(ServedTable table)
{
    public static TheoryData<string> Models => [.. ModelTable.Names];

    [Theory]
    [MemberData(nameof(Models))]
    public async Task Given_a_model_When_asked_by_each_transport_Then_every_bit_is_its_own(string model) => Assert.Empty((await table.JudgeAsync(model)).Faults);

    [Fact]
    public async Task Given_the_whole_table_When_counted_Then_each_transport_served_every_model_that_it_can_say()
    {
        var verdicts = new Dictionary<string, Verdict>();
        foreach (var model in ModelTable.Names)
            verdicts.Add(model, await table.JudgeAsync(model));
        string[] Proved(Way way) => verdicts.Where(v => v.Value.IsProved(way)).Select(v => v.Key).ToArray();
        var unsaid = verdicts.Keys.Except(Proved(Way.Json)).ToArray();
        Console.WriteLine($"conformance: {verdicts.Count} models, JSON {Proved(Way.Json).Length} ({unsaid.Length} can't be said in JSON), binary {Proved(Way.Binary).Length}, gRPC {Proved(Way.Grpc).Length}");

        Assert.True(verdicts.Count >= 100, $"The table has {verdicts.Count} models.");
        Assert.Equal(["brain_to_float", "cast_floats", "half_add", "half_in_float_out", "type_all", "type_bf16", "type_fp16"], unsaid);
        Assert.Equal(ModelTable.Names, Proved(Way.Binary));
        Assert.Equal(ModelTable.Names, Proved(Way.Grpc));
    }
}
