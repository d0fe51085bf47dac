using Millrace.Conformance.Tests.Cases;
using Millrace.Conformance.Tests.Judging;
using Millrace.Conformance.Tests.Table;
using Millrace.Conformance.Tests.Transports;
using Millrace.Hosting.Inference;
using Millrace.Tests.Support;

namespace Millrace.Conformance.Tests;

/// <summary>Requests that come at once: where they may share a run they do, and everybody gets what would have come alone.</summary>
[Collection(Alone.Name)]
public sealed class TogetherTests(ServedTable table)
{
    private const int AtOnce = 12;

    public static TheoryData<string> Models => [.. ModelTable.Names];

    [Theory]
    [MemberData(nameof(Models))]
    public async Task Given_requests_at_once_When_they_may_share_a_run_Then_each_gets_its_own_answer(string name)
    {
        using var model = ModelTable.Open(name);
        var asked = CaseGenerator.Alike(model, AtOnce);
        var expected = asked.Select(a => model.Run(a.Inputs)!).ToArray();
        ITransport transport = asked.Concat(asked.Zip(expected, (a, e) => a with { Inputs = e })).All(a => a.Inputs.All(i => i.InJson()))
            ? new JsonTransport(table.Server.Client) : new BinaryTransport(table.Server.Client);

        if (model.IsBatched)
            await Waiting.UntilAsync(async () => await AskAllAsync(transport, name, asked, expected) > 1, "some share a run");
        else
            Assert.Equal(1, await AskAllAsync(transport, name, asked, expected));
    }

    /// <summary>The most requests that ever were in one run of the model.</summary>
    private async Task<int> AskAllAsync(ITransport transport, string name, IReadOnlyList<Case> asked, IReadOnlyList<Tensor>[] expected)
    {
        var replies = await Task.WhenAll(asked.Select(a => transport.AskAsync(name, a)));
        for (var at = 0; at < replies.Length; at++)
            Assert.Null(Comparison.Differ(expected[at], Assert.IsType<Reply.Answered>(replies[at]).Outputs, Exactness.Sums));
        return table.Server.Ledger().Where(l => l.What == "start" && l.Model == name).Max(l => l.Requests.Count);
    }
}
