using Millrace.Drill;

// make drill
return args switch
{
    [] => await Scenarios.RunAsync([]),
    ["--only", var names] => await Scenarios.RunAsync(names.Split(',')),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("drill [--only latency,errors,...]: provokes each alert with real processes, and sees it fire, act and clear");
    return 2;
}
