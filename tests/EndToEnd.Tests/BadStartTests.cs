using System.Net;
using System.Net.Sockets;
using Millrace.Tests.Support;

namespace Millrace.EndToEnd.Tests;

/// <summary>What the operator must mend before the process can start: one line that names it, and an exit code that is not 0.</summary>
public sealed class BadStartTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Given_a_port_in_use_When_started_Then_it_says_so()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var url = $"http://127.0.0.1:{((IPEndPoint)taken.LocalEndpoint).Port}";
        Assert.Contains(url, await RefusalAsync("Millrace:Http:Url", Good($"Millrace:Http:Url={url}")));
    }

    [Fact]
    public async Task Given_a_data_folder_that_cannot_be_written_When_started_Then_it_says_so()
    {
        var file = Path.Combine(_folder.Path, "file");
        await File.WriteAllTextAsync(file, "", TestContext.Current.CancellationToken);
        Assert.Contains(file, await RefusalAsync("Millrace:Store:Path", Good($"Millrace:Store:Path={file}/data")));
    }

    [Fact]
    public async Task Given_no_models_folder_When_started_Then_it_says_so() =>
        Assert.Contains("nowhere", await RefusalAsync("Millrace:Models:Path", Good($"Millrace:Models:Path={_folder.Path}/nowhere")));

    [Fact]
    public async Task Given_a_folder_without_models_When_started_Then_it_says_what_it_looks_for() =>
        Assert.Contains("model.onnx", await RefusalAsync("Millrace:Models:Path", Good($"Millrace:Models:Path={Models()}", "Millrace:Models:ScanEvery=00:00:00")));

    [Fact]
    public async Task Given_only_a_broken_model_When_started_Then_it_says_which() =>
        Assert.Contains("cold", await RefusalAsync("Millrace:Models:Path", Good($"Millrace:Models:Path={Models("cold")}", "Millrace:Models:ScanEvery=00:00:00")));

    [Theory]
    [InlineData("model.onnx")]
    [InlineData("can be loaded", "cold")]
    public async Task Given_a_repository_without_a_model_that_loads_When_it_is_scanned_Then_the_server_starts_and_says_that_it_waits_for_one(string said, params string[] models)
    {
        await using var process = await MillraceProcess.StartAsync(Good($"Millrace:Models:Path={Models(models)}"));
        Assert.Contains(said, process.Output);
        Assert.Equal(503, (await process.Management.FetchAsync("/health/ready")).Status);
    }

    [Theory]
    [InlineData("Millrace:Worker:Lease=00:00:00", "Millrace:Worker:Lease")]
    [InlineData("Millrace:Worker:Lease=soon", "Millrace:Worker:Lease")]
    [InlineData("Millrace:Worker:Lesae=00:00:10", "Millrace:Worker:Lesae")]
    [InlineData("Millrace:Wroker:Lease=00:00:10", "Millrace:Wroker")]
    [InlineData("Millrace:Http:Url=nonsense", "Millrace:Http:Url")]
    [InlineData("Millrace:Http:Url=http://0.0.0.0:0", "Millrace:Http:AllowOpen")]
    [InlineData("Millrace:Grpc:Url=nonsense", "Millrace:Grpc:Url")]
    [InlineData("Millrace:Grpc:Url=http://0.0.0.0:0", "Millrace:Grpc:Url")]
    [InlineData("Millrace:Store:Window=0", "Millrace:Store:Window")]
    [InlineData("Millrace:Store:Url=nonsense", "Millrace:Store:Url")]
    [InlineData("Millrace:Broker:Url=http://broker", "Millrace:Broker:Url")]
    [InlineData("Millrace:Broker:Prefix=a b", "Millrace:Broker:Prefix")]
    [InlineData("Millrace:Models:Names=nowhere", "Millrace:Models:Names")]
    [InlineData("Millrace:Models:ScanEvery=00:00:00.050", "Millrace:Models:ScanEvery")]
    [InlineData("Millrace:Models:UnloadDelay=-00:00:01", "Millrace:Models:UnloadDelay")]
    [InlineData("Millrace:Models:OnDemandIdle=00:00:00", "Millrace:Models:OnDemandIdle")]
    [InlineData("Millrace:Models:MaxModelBytes=0", "Millrace:Models:MaxModelBytes")]
    [InlineData("Millrace:Models:MaxExternalTensors=-1", "Millrace:Models:MaxExternalTensors")]
    [InlineData("Millrace:Faults:Plan=in_run=throw@1", "Millrace:Faults:Plan")]
    [InlineData("Millrace:Chaos:Enabled=true", "Millrace:Chaos:Enabled")]
    [InlineData("Millrace:Management:Url=9080", "Millrace:Management:Url")]
    [InlineData("Millrace:Logs:Format=xml", "Millrace:Logs:Format")]
    [InlineData("Millrace:Traces:Endpoint=collector", "Millrace:Traces:Endpoint")]
    [InlineData("Millrace:Traces:SampleRatio=2", "Millrace:Traces:SampleRatio")]
    public async Task Given_a_bad_setting_When_started_Then_its_name_is_in_the_line(string setting, string named) => await RefusalAsync(named, Good(setting));

    [Fact]
    public async Task Given_two_bad_settings_When_started_Then_both_are_named()
    {
        var line = await RefusalAsync("Millrace:Sync:PackRequests", Good("Millrace:Sync:PackRequests=0", "Millrace:Sync:MaxRequests=0"));
        Assert.Contains("Millrace:Sync:MaxRequests", line);
    }

    [Fact]
    public async Task Given_a_broken_model_among_good_ones_When_started_Then_it_warns_and_serves_the_others()
    {
        await using var process = await MillraceProcess.StartAsync(Good($"Millrace:Models:Path={Models("cold", "pair")}"));
        Assert.Contains("cold", process.Output);
        var index = (await process.Client.PostAsync("/v2/repository/index", "")).MustBe(200).Json.AsArray();
        var cold = index.Single(e => (string?)e!["name"] == "cold")!;
        Assert.Equal("UNAVAILABLE", (string?)cold["state"]);
        Assert.NotEmpty((string)cold["reason"]!);
        Assert.DoesNotContain(_folder.Path, (string)cold["reason"]!);
        Assert.Equal("READY", (string?)index.Single(e => (string?)e!["name"] == "pair")!["state"]);
    }

    private string[] Good(params string[] settings) =>
    [
        .. settings,
        .. new[] { "Millrace:Http:Url=http://127.0.0.1:0", "Millrace:Grpc:Url=http://127.0.0.1:0", $"Millrace:Store:Path={_folder.Path}/data", $"Millrace:Models:Path={Repository.Models}" }
            .Where(d => !settings.Any(s => s.StartsWith(d[..d.IndexOf('=', StringComparison.Ordinal)] + "=", StringComparison.Ordinal))),
    ];

    private string Models(params string[] names)
    {
        var models = Directory.CreateDirectory(Path.Combine(_folder.Path, "models")).FullName;
        foreach (var name in names)
        {
            Directory.CreateDirectory(Path.Combine(models, name, "1"));
            File.Copy(Path.Combine(Repository.TestModels, name, "1", "model.onnx"), Path.Combine(models, name, "1", "model.onnx"));
        }
        return models;
    }

    private static async Task<string> RefusalAsync(string named, string[] settings)
    {
        var (exitCode, errors) = await MillraceProcess.StartToFailAsync(settings);
        Assert.NotEqual(0, exitCode);
        var line = Assert.Single(errors);
        Assert.StartsWith("millrace: ", line, StringComparison.Ordinal);
        Assert.Contains(named, line);
        return line;
    }
}
