using Grpc.Net.Client;
using Millrace.Conformance.Tests.Cases;
using Millrace.Conformance.Tests.Table;
using Millrace.Conformance.Tests.Transports;
using Millrace.Hosting.Inference;
using Millrace.Tests.Support;

namespace Millrace.Conformance.Tests.Judging;

/// <summary>Asks one model every case by every transport, and compares with ONNX Runtime in this process.</summary>
internal sealed class Judge(MillraceServer server, GrpcChannel channel)
{
    private readonly JsonTransport _json = new(server.Client);
    private readonly BinaryTransport _binary = new(server.Client);
    private readonly GrpcTransport _raw = new(channel, typed: false);
    private readonly GrpcTransport _typed = new(channel, typed: true);

    public async Task<Verdict> JudgeAsync(string name)
    {
        using var model = ModelTable.Open(name);
        var verdict = new Verdict();
        foreach (var asked in CaseGenerator.All(model))
        {
            var expected = model.Run(asked.Inputs);
            await JudgeJsonAsync(verdict, name, asked, expected);
            Compare(verdict, Way.Binary, asked, expected, await _binary.AskAsync(name, asked));
            Compare(verdict, Way.Binary, asked, expected, await _binary.AskAsync(name, asked, model.Outputs.Select(o => o.Name).ToArray()));
            Compare(verdict, Way.Grpc, asked, expected, await _raw.AskAsync(name, asked));
            await JudgeTypedAsync(verdict, name, asked, expected);
        }
        return verdict;
    }

    /// <summary>JSON has no FP16, no BF16, no NaN, no infinity, and only text: those must be refused, and the refusal must say what would do.</summary>
    private async Task JudgeJsonAsync(Verdict verdict, string model, Case asked, IReadOnlyList<Tensor>? expected)
    {
        var inputs = asked.Inputs.Where(i => !i.InJson()).ToArray();
        if (inputs.Any(i => i.Datatype is not (Datatype.Fp16 or Datatype.Bf16)))
            return; // NaN can't even be asked
        var reply = await _json.AskAsync(model, asked);
        if (inputs.Length == 0 && (expected is null || expected.All(o => o.InJson())))
            Compare(verdict, Way.Json, asked, expected, reply);
        else if (reply is not Reply.Refused { Status: 400 } refused || !refused.Text.Contains("binary", StringComparison.Ordinal))
            verdict.Blame($"JSON, {asked}: has values that JSON lacks; expected 400 with the hint to use binary, got {Short(reply)}");
    }

    /// <summary>Typed contents have no field for FP16 and BF16.</summary>
    private async Task JudgeTypedAsync(Verdict verdict, string model, Case asked, IReadOnlyList<Tensor>? expected)
    {
        var isSayable = asked.Inputs.All(i => i.Datatype is not (Datatype.Fp16 or Datatype.Bf16));
        Compare(verdict, Way.Grpc, asked, isSayable ? expected : null, await _typed.AskAsync(model, asked));
    }

    private static void Compare(Verdict verdict, Way way, Case asked, IReadOnlyList<Tensor>? expected, Reply reply)
    {
        switch (reply)
        {
            case Reply.Refused { Status: 400 or 500 } when expected is null:
                break;
            case Reply.Answered answer when expected is not null && Comparison.Differ(expected, answer.Outputs, Exactness.Bits) is not { } difference:
                verdict.Prove(way);
                break;
            case Reply.Answered answer when expected is not null:
                verdict.Blame($"{way}, {asked}: {Comparison.Differ(expected, answer.Outputs, Exactness.Bits)}");
                break;
            default:
                verdict.Blame($"{way}, {asked}: expected {(expected is null ? "a refusal" : "an answer")}, got {Short(reply)}");
                break;
        }
    }

    private static string Short(Reply reply) => reply switch
    {
        Reply.Refused refused => $"{refused.Status} {refused.Text}",
        Reply.Answered answer => $"{answer.Outputs.Count} outputs",
        _ => "nothing",
    };
}
