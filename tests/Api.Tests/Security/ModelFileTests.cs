using System.Diagnostics;
using System.Runtime.InteropServices;
using Millrace.Api.Tests.Inference;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Security;

/// <summary>A repository in which somebody put traps: nothing is read from outside it, and nothing is loaded that is not as it was listed.</summary>
public sealed class ModelFileTests : IDisposable
{
    private static readonly float[] Table = [0, 10, 20, 30];
    private static readonly byte[] Weights = MemoryMarshal.AsBytes<float>(Table).ToArray();
    private static readonly (string, string)[] Whole = [("location", "weights.bin"), ("offset", "0"), ("length", "16")];

    private readonly LiveModels _models = new();
    private readonly TemporaryFolder _outside = new();

    public ModelFileTests() => _models.Put("good", "1", "ident_fp32");

    public void Dispose()
    {
        _models.Dispose();
        _outside.Dispose();
    }

    [Fact]
    [Attack(41)]
    public async Task Given_external_data_that_is_listed_When_loaded_Then_it_is_used_and_no_copy_is_left()
    {
        Put(Weights, Whole);
        await using var server = await _models.StartAsync();

        Assert.Equal(("READY", ""), await server.Client.IndexAsync("pick", "1"));
        (await server.Client.InferAsync("pick", Bodies.In("INT64", 3))).MustBe(200).MustGive("OUT", 30f);
        Assert.DoesNotContain(Directory.GetDirectories(Path.GetTempPath(), "millrace-*"), d => File.Exists(Path.Combine(d, "weights.bin")));
    }

    [Theory]
    [Attack(41)]
    [InlineData("../../secret.bin", "relative path below")]
    [InlineData("../1/weights.bin", "relative path below")]
    [InlineData("/etc/passwd", "relative path below")]
    [InlineData("..\\weights.bin", "relative path below")]
    [InlineData("./weights.bin", "relative path below")]
    [InlineData("", "relative path below")]
    [InlineData("*/_ORT_MEM_ADDR_/*", "relative path below")]
    [InlineData("file:weights.bin", "relative path below")]
    [InlineData("other.bin", "not listed in SHA256SUMS")]
    [InlineData("nowhere.bin", "nowhere.bin is not there")]
    [InlineData("link.bin", "link.bin leads out of its folder")]
    [InlineData("folder/weights.bin", "leads out of its folder")]
    [InlineData("hard.bin", "has 2 names")]
    [InlineData("fifo.bin", "no regular file")]
    [InlineData("device.bin", "no regular file")]
    [InlineData("directory", "no regular file")]
    public async Task Given_external_data_in_a_strange_place_When_loaded_Then_it_is_refused(string location, string reason)
    {
        var secret = Path.Combine(_outside.Path, "weights.bin");
        File.WriteAllBytes(secret, Weights);
        File.WriteAllBytes(Path.Combine(_models.Path, "secret.bin"), Weights);
        _models.Put("pick", "1", OnnxWriter.GatherExternal(4, ("location", location)));
        _models.Put("pick", "1", "weights.bin", Weights);
        _models.List("pick", "1", "model.onnx", "weights.bin");
        _models.Put("pick", "1", "other.bin", Weights);
        var folder = Path.GetDirectoryName(_models.File("pick", "1"))!;
        File.CreateSymbolicLink(Path.Combine(folder, "link.bin"), secret);
        Directory.CreateSymbolicLink(Path.Combine(folder, "folder"), _outside.Path);
        File.CreateSymbolicLink(Path.Combine(folder, "device.bin"), "/dev/zero");
        Directory.CreateDirectory(Path.Combine(folder, "directory"));
        File.WriteAllBytes(Path.Combine(_outside.Path, "second.bin"), Weights);
        await RunAsync("ln", Path.Combine(_outside.Path, "second.bin"), Path.Combine(folder, "hard.bin"));
        await RunAsync("mkfifo", Path.Combine(folder, "fifo.bin"));
        await using var server = await _models.StartAsync();

        var (state, said) = await server.Client.IndexAsync("pick", "1");
        Assert.Equal("UNAVAILABLE", state);
        Assert.Contains(reason, said);
        (await server.Client.InferAsync("good", Bodies.In("FP32", 1))).MustBe(200);
    }

    [Theory]
    [Attack(41)]
    [InlineData("0", "17", "beyond the end")]
    [InlineData("17", null, "beyond the end")]
    [InlineData("8", "9", "beyond the end")]
    [InlineData("-1", "4", "must be a whole number from 0")]
    [InlineData("0", "-4", "must be a whole number from 0")]
    [InlineData("9223372036854775807", "9223372036854775807", "has more than")]
    [InlineData("9223372036854775807", "1", "beyond the end")]
    [InlineData("9223372036854775808", "1", "must be a whole number from 0")]
    [InlineData("0x0", "16", "must be a whole number from 0")]
    public async Task Given_external_data_beyond_its_file_When_loaded_Then_it_is_refused(string offset, string? length, string reason)
    {
        Put(Weights, [("location", "weights.bin"), ("offset", offset), .. length is null ? Array.Empty<(string, string)>() : [("length", length)]]);
        await using var server = await _models.StartAsync();

        Assert.Contains(reason, (await server.Client.IndexAsync("pick", "1")).Reason);
    }

    [Fact]
    [Attack(41)]
    public async Task Given_10000_tensors_at_one_file_When_loaded_Then_it_is_refused()
    {
        _models.Put("pick", "1", OnnxWriter.GatherMany(10_000, "weights.bin"));
        _models.Put("pick", "1", "weights.bin", Weights);
        _models.List("pick", "1", "model.onnx", "weights.bin");
        await using var server = await _models.StartAsync();

        Assert.Contains("more than 4096 tensors", (await server.Client.IndexAsync("pick", "1")).Reason);
    }

    [Fact]
    [Attack(41)]
    public async Task Given_external_data_named_in_a_branch_When_loaded_Then_it_is_found_and_refused()
    {
        _models.Put("pick", "1", OnnxWriter.ConstantInBranch("../../secret.bin"));
        await using var server = await _models.StartAsync();

        Assert.Contains("must list model.onnx", (await server.Client.IndexAsync("pick", "1")).Reason);
    }

    [Theory]
    [Attack(41)]
    [InlineData("file")]
    [InlineData("version")]
    [InlineData("model")]
    [InlineData("hard")]
    [InlineData("fifo")]
    [InlineData("device")]
    [InlineData("settings")]
    [InlineData("labels")]
    public async Task Given_a_model_that_lies_elsewhere_When_scanned_Then_it_is_refused(string link)
    {
        var elsewhere = Path.Combine(_outside.Path, "trap", "1");
        Directory.CreateDirectory(elsewhere);
        File.WriteAllBytes(Path.Combine(elsewhere, "model.onnx"), LiveModels.Fixture("stepper"));
        File.WriteAllText(Path.Combine(_outside.Path, "trap", "model.json"), """{"instances": 1}""");
        var model = Path.Combine(_models.Path, "trap");
        if (link == "model")
            Directory.CreateSymbolicLink(model, Path.Combine(_outside.Path, "trap"));
        else if (link == "version")
            Directory.CreateSymbolicLink(Path.Combine(Directory.CreateDirectory(model).FullName, "1"), elsewhere);
        else
        {
            var file = Path.Combine(Directory.CreateDirectory(Path.Combine(model, "1")).FullName, "model.onnx");
            if (link is "settings" or "labels")
                _models.Put("trap", "1", "stepper");
            if (link == "file")
                File.CreateSymbolicLink(file, Path.Combine(elsewhere, "model.onnx"));
            else if (link == "hard")
                await RunAsync("ln", Path.Combine(elsewhere, "model.onnx"), file);
            else if (link == "fifo")
                await RunAsync("mkfifo", file);
            else if (link == "device")
                File.CreateSymbolicLink(file, "/dev/zero");
            else if (link == "settings")
                File.CreateSymbolicLink(Path.Combine(model, "model.json"), Path.Combine(_outside.Path, "trap", "model.json"));
            else
            {
                _models.Configure("trap", """{"labels": {"OUT": "labels.txt"}}""");
                File.CreateSymbolicLink(Path.Combine(model, "labels.txt"), "/etc/passwd");
            }
        }
        await using var server = await _models.StartAsync();

        Assert.Equal("UNAVAILABLE", (await server.Client.IndexAsync("trap", "1")).State);
        (await server.Client.InferAsync("good", Bodies.In("FP32", 1))).MustBe(200);
    }

    [Fact]
    [Attack(41)]
    public async Task Given_links_that_stay_inside_When_scanned_Then_they_are_followed()
    {
        Directory.CreateDirectory(Path.Combine(_models.Path, "linked"));
        Directory.CreateSymbolicLink(Path.Combine(_models.Path, "linked", "3"), "../good/1"); // as a mounted ConfigMap has them
        await using var server = await _models.StartAsync();

        Assert.Equal("READY", (await server.Client.IndexAsync("linked", "3")).State);
    }

    [Theory]
    [Attack(40)]
    [InlineData("a b")]
    [InlineData("...")]
    [InlineData("stats")]
    [InlineData("ü")]
    [InlineData("a\nb")]
    [InlineData("%2e%2e%2f")]
    public async Task Given_a_folder_with_a_strange_name_When_scanned_Then_it_is_no_model(string name)
    {
        _models.Put(name, "1", "stepper");
        _models.Put("con", "1", "stepper"); // a device elsewhere, a name here
        _models.Put("good", "1.5", "stepper");
        _models.Put("good", "0", "stepper");
        _models.Put("good", "-1", "stepper");
        await using var server = await _models.StartAsync();

        Assert.Equal("""{"models":["con","good"]}""", (await server.Client.FetchAsync("/v2/models")).Text);
        Assert.Equal("""["1"]""", (await server.Client.FetchAsync("/v2/models/good")).Json["versions"]!.ToJsonString());
    }

    [Theory]
    [Attack(42)]
    [InlineData("model.onnx")]
    [InlineData("weights.bin")]
    public async Task Given_one_bit_changed_When_it_is_seen_Then_it_is_not_loaded_and_what_was_loaded_serves_on(string file)
    {
        Put(Weights, Whole);
        await using var server = await _models.StartAsync();
        (await server.Client.InferAsync("pick", Bodies.In("INT64", 3))).MustBe(200).MustGive("OUT", 30f);
        var path = Path.Combine(Path.GetDirectoryName(_models.File("pick", "1"))!, file);

        var bytes = File.ReadAllBytes(path);
        bytes[^1] ^= 1;
        _models.Put("pick", "1", file, bytes);
        _models.Put("pick", "2", "model.onnx", File.ReadAllBytes(_models.File("pick", "1")));
        foreach (var other in (string[])["weights.bin", "SHA256SUMS"])
            _models.Put("pick", "2", other, File.ReadAllBytes(Path.Combine(Path.GetDirectoryName(path)!, other)));
        await server.Client.UntilIndexAsync("pick", "2", "UNAVAILABLE");

        Assert.Contains($"{file} has the SHA-256", (await server.Client.IndexAsync("pick", "2")).Reason);
        var answer = (await server.Client.InferAsync("pick", Bodies.In("INT64", 3))).MustBe(200);
        answer.MustGive("OUT", 30f);
        Assert.Equal("1", (string?)answer.Json["model_version"]);
    }

    [Theory]
    [Attack(42)]
    [InlineData("", "model.onnx is not listed")]
    [InlineData("0123  model.onnx\n", "line 1: it must be 64 hex digits")]
    [InlineData("{model}  model.onnx\n{model}  model.onnx\n", "line 2: model.onnx is listed twice")]
    [InlineData("{model}  model.onnx\n{model}  ../../good/1/model.onnx\n", "leads out of the folder")]
    [InlineData("{model}  model.onnx\n{model}  nowhere\n", "nowhere is not there")]
    [InlineData("{model}  model.onnx\n{model}  notes.txt\n", "notes.txt has the SHA-256")]
    [InlineData("model.onnx\n", "line 1: it must be 64 hex digits")]
    [InlineData("{zeros}  model.onnx\n", "model.onnx has the SHA-256")]
    public async Task Given_a_list_that_does_not_fit_When_loaded_Then_the_model_is_refused(string list, string reason)
    {
        var model = LiveModels.Fixture("stepper");
        _models.Put("trap", "1", model);
        _models.Put("trap", "1", "notes.txt", [1]);
        _models.Put("trap", "1", "SHA256SUMS", System.Text.Encoding.UTF8.GetBytes(list.Replace("{model}", model.Sha256()).Replace("{zeros}", new string('0', 64))));
        await using var server = await _models.StartAsync();

        var (state, said) = await server.Client.IndexAsync("trap", "1");
        Assert.Equal("UNAVAILABLE", state);
        Assert.Contains(reason, said);
    }

    [Fact]
    [Attack(42)]
    public async Task Given_a_file_that_is_replaced_all_the_time_When_it_is_checked_Then_only_the_listed_one_is_ever_served()
    {
        var (good, evil) = (LiveModels.Fixture("stepper", "1"), LiveModels.Fixture("stepper", "2"));
        _models.Put("race", "1", good);
        _models.List("race", "1", "model.onnx");
        await using var server = await _models.StartAsync();
        using var end = new CancellationTokenSource();
        var attack = Task.Run(() =>
        {
            for (var turn = 0; !end.IsCancellationRequested; turn++)
                _models.Put("race", "1", turn % 2 == 0 ? evil : good);
        }, TestContext.Current.CancellationToken);
        var passes = await Models.HotRepositoryTests.PassesAsync(server);

        await Waiting.UntilAsync(
            async () =>
            {
                if ((await server.Client.IndexAsync("race", "1")).State == "READY")
                    (await server.Client.InferAsync("race", Bodies.In("FP32", 1))).MustBe(200).MustGive("OUT", 2f);
                return await Models.HotRepositoryTests.PassesAsync(server) >= passes + 20;
            },
            "it was looked at twenty times");

        await end.CancelAsync();
        await attack;
    }

    [Fact]
    [Attack(41)]
    public async Task Given_a_model_above_the_limit_When_loaded_Then_it_is_refused_before_it_is_read()
    {
        _models.Put("pick", "1", OnnxWriter.Gather(new float[1000]));
        await using var server = await _models.StartAsync("Millrace:Models:MaxModelBytes=1024");

        Assert.Contains("1024 are the most", (await server.Client.IndexAsync("pick", "1")).Reason);
    }

    private void Put(byte[] weights, (string, string)[] entries)
    {
        _models.Put("pick", "1", OnnxWriter.GatherExternal(4, entries));
        _models.Put("pick", "1", "weights.bin", weights);
        _models.List("pick", "1", "model.onnx", "weights.bin");
    }

    private static async Task RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, process.ExitCode);
    }
}
