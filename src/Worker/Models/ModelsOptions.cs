namespace Millrace.Worker.Models;

/// <summary>Where models are found, and how the worker follows what changes there.</summary>
public sealed class ModelsOptions
{
    /// <summary>The model repository: <c>{name}/{version}/model.onnx</c> or <c>{name}.onnx</c> and, where wanted, <c>{name}/model.json</c> (its members are in the README). It is only ever read.</summary>
    public string Path { get; set; } = "./models";

    /// <summary>The models that this worker serves. Empty: all there are. Names, by commas.</summary>
    public string Names { get; set; } = "";

    /// <summary>How often the repository is looked through for what is new, changed or gone. A file must be found unchanged twice before it is loaded. 0: only at start and when a load is asked for; else 100 ms to 1 h.</summary>
    public TimeSpan ScanEvery { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a version that leaves goes on serving after that was announced, so that each API has read it first. They read every second. 0 to 10 min.</summary>
    public TimeSpan UnloadDelay { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a version that is loaded only for jobs that were made for it stays after the last of them. 1 s to 1 day.</summary>
    public TimeSpan OnDemandIdle { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Most bytes of one version: its file and its external data. 1 KiB to 1 TiB.</summary>
    public long MaxModelBytes { get; set; } = 4L << 30;

    /// <summary>Most tensors of one version whose data lies outside its file. 0 refuses external data. 0 to 1,000,000.</summary>
    public int MaxExternalTensors { get; set; } = 4096;
}
