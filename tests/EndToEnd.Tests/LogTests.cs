using System.Text.Json.Nodes;
using Millrace.Tests.Support;

namespace Millrace.EndToEnd.Tests;

/// <summary>Log lines as a log store takes them: one JSON object each, whatever clients send.</summary>
public sealed class LogTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    [Attack(35)]
    public async Task Given_requests_and_jobs_When_logged_as_JSON_Then_each_line_is_an_object_that_tells_whose_it_is()
    {
        const string trace = "0af7651916cd43dd8448eb211c80319c";
        var forged = "x\r\n2026-01-01 INFO admin login\u001b[2J\u2028" + new string('y', 5000);
        await using var process = await MillraceProcess.StartAsync($"Millrace:Store:Path={_folder.Path}/data", $"Millrace:Models:Path={Repository.TestModels}", "Logging:LogLevel:Default=Debug", "Millrace:Logs:Format=json");
        using var admin = process.Client.WithKey((string)(await process.Client.PostAsync("/v1/keys", new { name = "first", roles = new[] { "admin", "submit", "read" } })).MustBe(201).Json["key"]!);
        (string, string) header = ("traceparent", $"00-{trace}-b7ad6b7169203331-01");
        var job = (string)(await admin.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", Bodies.In("FP32", 1)), header, ("Prefer", "wait=30"))).MustBe(200).Json["id"]!;
        await admin.FetchAsync($"/v2/models/{Uri.EscapeDataString(forged)}", ("User-Agent", "x\u001b[2J" + new string('y', 5000)));
        process.Signal(MillraceProcess.Terminate);
        await process.ExitAsync();

        var lines = process.Output.Split('\n').Select(line => JsonNode.Parse(line)!.AsObject()).ToArray(); // each, or this fails
        Assert.All(lines, line =>
        {
            Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", (string)line["time"]!);
            Assert.NotNull(line["level"]);
            Assert.False(string.IsNullOrEmpty((string?)line["message"]));
        });
        var submitted = lines.Single(line => (string?)line["job_id"] == job && (string?)line["route"] == "/v1/jobs/");
        Assert.Equal(("ident_fp32", "1", "default", trace), ((string?)submitted["model"], (string?)submitted["model_version"], (string?)submitted["tenant"], (string?)submitted["trace_id"]));
        Assert.Equal(admin.Shown()[3..15], (string?)submitted["user_id"]);
        Assert.Equal(200, (int)submitted["status"]!);
        Assert.DoesNotContain(lines.SelectMany(l => l), member => member.Value is JsonValue value && value.TryGetValue<string>(out var text) && member.Key is not ("error" or "message") && text.Length > 257);
        Assert.DoesNotContain("admin login", process.Output.Replace("%0D%0A", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }
}
