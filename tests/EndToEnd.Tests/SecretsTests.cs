using System.Text;
using Millrace.Tests.Support;

namespace Millrace.EndToEnd.Tests;

/// <summary>What must not be found: canaries in what a process writes, and raw control characters in its log.</summary>
public sealed class SecretsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    [Attack(35, 36)]
    public async Task Given_canaries_and_control_characters_through_every_door_When_the_log_is_read_Then_none_is_there_and_each_line_is_one()
    {
        const string payload = "CANARYPAYLOAD";
        const string forged = "\r\n2026-01-01 INFO admin login\u001b[2J\u2028x";
        await using var process = await StartAsync();
        var key = (string)(await process.Client.PostAsync("/v1/keys", new { name = "first", roles = new[] { "admin" } })).MustBe(201).Json["key"]!;
        using var admin = process.Client.WithKey(key);
        var client = (string)(await admin.NewKeyAsync(new { name = "client", roles = new[] { "submit", "read", "operate" } }))["key"]!;
        using var caller = process.Client.WithKey(client);
        var answers = new StringBuilder();
        var body = Bodies.Infer(Bodies.Tensor("IN", "BYTES", [1], new[] { payload }));
        await AskAsync(caller.PostAsync("/v2/models/str/infer", body, ("traceparent", "00-\u001b[2J-x"), ("X-Request-Id", "a\u001b[2Jb"), ("User-Agent", "x\u001b[2J")), keep: false); // its answer echoes the input
        await AskAsync(caller.PostAsync("/v1/jobs", Bodies.Job("str", body, m => m["metadata"] = new Dictionary<string, string> { ["k"] = forged })), keep: false);
        await AskAsync(caller.PostAsync("/v1/jobs", Bodies.Job("bad", Bodies.In("FP32", 1))));
        await AskAsync(caller.PostAsync("/v2/models/ident_fp32/infer", body));
        await AskAsync(caller.PostAsync("/v2/models/str/infer", "{\"inputs\": \"" + payload + "\"}"));
        await AskAsync(caller.FetchAsync($"/v2/models/{Uri.EscapeDataString(forged)}"));
        await AskAsync(admin.PostAsync("/v1/keys", new { name = forged, roles = new[] { "read" } }));
        await AskAsync(caller.PostAsync("/v1/keys", new { name = "x", roles = new[] { "admin" } }));
        await AskAsync(process.Client.WithKey(key[..^1] + "x").FetchAsync("/v1/jobs"));
        await AskAsync(admin.FetchAsync("/v1/keys"));
        await AskAsync(admin.FetchAsync("/v1/audit"));
        await AskAsync(caller.FetchAsync("/v1/admission"));
        process.Signal(MillraceProcess.Terminate);
        await process.ExitAsync();

        var written = process.Output + "\n" + string.Join('\n', process.Errors);
        Assert.Contains("Millrace listens", written, StringComparison.Ordinal);
        Assert.Contains("Millrace.", written, StringComparison.Ordinal); // there is a log to look at
        Assert.All(written.Split('\n'), line => Assert.DoesNotMatch("[\u0000-\u0008\u000b-\u001f\u2028\u2029]", line));
        Assert.DoesNotContain(written.Split('\n'), line => line.StartsWith("2026-01-01 INFO", StringComparison.Ordinal));
        foreach (var canary in new[] { key[^43..], client[^43..], payload })
        {
            Assert.DoesNotContain(canary, written, StringComparison.Ordinal);
            Assert.DoesNotContain(canary, answers.ToString(), StringComparison.Ordinal);
        }

        async Task AskAsync(Task<Answer> call, bool keep = true)
        {
            var answer = await call;
            if (keep)
                answers.AppendLine(answer.Text).AppendLine(answer.Message.Headers.ToString());
        }
    }

    [Fact]
    [Attack(36, 39)]
    public async Task Given_passwords_in_the_addresses_of_servers_that_are_away_When_a_process_says_so_Then_the_passwords_are_not_among_it()
    {
        await using var process = await MillraceProcess.StartAsync(MillraceProcess.Api,
            ["Millrace:Broker:Url=amqp://user:CANARYBROKER@127.0.0.1:1/", "Millrace:Store:Url=postgres://user:CANARYSTORE@127.0.0.1:1/db", "Logging:LogLevel:Default=Debug"]);
        Assert.Equal(503, (await process.Client.PostAsync("/v1/jobs", "{}")).Status);
        Assert.Equal(503, (await process.Client.FetchAsync("/v2/health/ready")).Status);
        await Waiting.UntilAsync(() => process.Output.Contains("database", StringComparison.Ordinal) && process.Output.Contains("broker", StringComparison.Ordinal), "it has said so");
        process.Signal(MillraceProcess.Terminate);
        await process.ExitAsync();
        Assert.DoesNotContain("CANARY", process.Output + string.Join('\n', process.Errors), StringComparison.Ordinal);
    }

    private Task<MillraceProcess> StartAsync() => MillraceProcess.StartAsync(
        $"Millrace:Store:Path={_folder.Path}/data", $"Millrace:Models:Path={Repository.TestModels}", "Logging:LogLevel:Default=Debug", "Millrace:RateLimit:Requests=0");
}
