using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Millrace.Tests.Support.Kubernetes;

namespace Millrace.Drill;

/// <summary>What makes a Deployment real: starts and stops processes until there are as many as it wants, of its present template, and says in its status how many are ready.</summary>
internal sealed class Kubelet : IAsyncDisposable
{
    private static readonly TimeSpan Every = TimeSpan.FromMilliseconds(200);
    private readonly ApiServer _server;
    private readonly Func<string, Pod, Node> _start;
    private readonly ConcurrentDictionary<string, Pod[]> _pods = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly HttpClient _probe = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = TimeSpan.FromSeconds(2) };
    private readonly List<Task> _ends = [];
    private readonly Task _loop;

    /// <param name="start">Starts a process for the Deployment of this name.</param>
    public Kubelet(ApiServer server, Func<string, Pod, Node> start)
    {
        (_server, _start) = (server, start);
        _loop = Task.Run(RunAsync);
    }

    /// <summary>Dead pods are not started again while it is set, so that their loss can be seen.</summary>
    public bool Holds { get; set; }

    public IReadOnlyList<Pod> Pods(string deployment) => _pods.GetValueOrDefault(deployment, []);

    public IReadOnlyList<Pod> AllPods => [.. _pods.Values.SelectMany(p => p)];

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _loop;
        await Task.WhenAll(AllPods.Select(p => p.Node!.DisposeAsync().AsTask()).Concat(_ends));
        _probe.Dispose();
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            foreach (var deployment in _server.ReadAll("/apis/apps/v1/namespaces/millrace/deployments"))
                await ReconcileAsync(deployment);
            try { await Task.Delay(Every, TimeProvider.System, _stopping.Token); }
            catch (OperationCanceledException) { } // the end
        }
    }

    private async Task ReconcileAsync(JsonObject deployment)
    {
        var name = (string)deployment["metadata"]!["name"]!;
        var wanted = (int?)deployment["spec"]!["replicas"] ?? 1;
        var template = deployment["spec"]!["template"]!.ToJsonString();
        var pods = _pods.GetValueOrDefault(name, []).ToList();
        foreach (var dead in pods.Where(p => !p.Node!.IsAlive && !Holds).ToArray())
        {
            pods.Remove(dead);
            await dead.Node!.DisposeAsync();
            if (dead.Template == template && pods.Count < wanted)
                pods.Add(Start(name, dead.With(template))); // in place, under its old address
        }
        foreach (var pod in pods)
            pod.IsReady = pod.Node!.IsAlive && await AnswersAsync(pod);
        var current = pods.Where(p => p.Template == template).ToList();
        while (current.Count < wanted)
        {
            var made = Start(name, new Pod(name, template, Node.FreePort(), Node.FreePort()));
            pods.Add(made);
            current.Add(made);
        }
        // Pods of the old template go when those of the new one are ready; of one template, the youngest go.
        var surplus = current.Skip(wanted).Concat(current.Count(p => p.IsReady) >= wanted ? pods.Except(current) : []).ToArray();
        foreach (var pod in surplus)
        {
            pods.Remove(pod);
            _ends.Add(pod.Node!.DisposeAsync().AsTask());
        }
        _pods[name] = [.. pods];
        var now = new JsonObject
        {
            ["observedGeneration"] = deployment["metadata"]!["generation"]!.DeepClone(),
            ["replicas"] = pods.Count,
            ["updatedReplicas"] = pods.Count(p => p.Template == template),
            ["readyReplicas"] = pods.Count(p => p.IsReady),
        };
        if (!JsonNode.DeepEquals(deployment["status"], now))
            _server.Change(Installation.Deployment(name), new JsonObject { ["status"] = now });
    }

    private Pod Start(string deployment, Pod pod)
    {
        pod.Node = _start(deployment, pod);
        return pod;
    }

    private async Task<bool> AnswersAsync(Pod pod)
    {
        try
        {
            using var answer = await _probe.GetAsync(new Uri($"http://127.0.0.1:{pod.ManagementPort}/health/ready"), _stopping.Token);
            return answer.IsSuccessStatusCode;
        }
        catch (Exception error) when (error is HttpRequestException or OperationCanceledException) { return false; }
    }
}

internal sealed class Pod(string deployment, string template, int port, int managementPort)
{
    public string Deployment => deployment;
    public string Template => template;
    public int Port => port;
    public int ManagementPort => managementPort;
    public Node? Node { get; set; }
    public bool IsReady { get; set; }

    public string Version => (string)JsonNode.Parse(template)!["metadata"]!["labels"]!["app.kubernetes.io/version"]!;

    /// <summary>A value of its container's environment.</summary>
    public IReadOnlyDictionary<string, string> Environment => JsonNode.Parse(template)!["spec"]!["containers"]!.AsArray().Single(c => (string?)c!["name"] == "main")!["env"]!.AsArray()
        .ToDictionary(e => (string)e!["name"]!, e => (string)e!["value"]!);

    public Pod With(string next) => new(deployment, next, port, managementPort);
}
